"""Networks of torchvision and timm as architectures: a name, of which nothing is known but what the library builds."""

from dataclasses import asdict, dataclass

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject

LIBRARIES = ("torchvision", "timm")


@dataclass(frozen=True)
class LibraryArchitecture:
    """The network that ``library`` builds under ``network``."""

    library: str
    network: str

    @classmethod
    def named(cls, name: str) -> "LibraryArchitecture":
        """From ``torchvision:resnet50``; UsageError for another library."""
        library, _, network = name.partition(":")
        if library not in LIBRARIES:
            raise UsageError(f'unknown library "{library}" of the network {name}; known are {", ".join(LIBRARIES)}.')
        return cls(library, network)

    def to_dict(self) -> JsonObject:
        """Its fields."""
        return asdict(self)

    @classmethod
    def described_by(cls, value: JsonObject) -> bool:
        """Whether ``to_dict`` of one gave this."""
        return set(value) == {"library", "network"}
