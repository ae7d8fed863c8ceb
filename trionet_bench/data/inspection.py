"""All that can be said of a data source after every image of it was decoded."""

from dataclasses import asdict, dataclass
from pathlib import Path

from trionet_bench.data.findings import Finding, find_problems
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import BrokenImage, find_broken_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source


@dataclass(frozen=True)
class Inspection:
    """An opened source, the images of it that cannot be decoded, and what else is wrong with it."""

    index: Index
    broken: tuple[BrokenImage, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether a run may start on it."""
        return not self.broken and all(finding.severity != "error" for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """Source, classes, counts, warnings and broken images, as values that JSON can hold."""
        index = self.index
        return {
            "source": index.uri,
            "name": index.name,
            "classes": list(index.classes),
            "counts": index.counts,
            "channels": index.channels,
            "native_size": index.native_size,
            "flip_safe": index.flip_safe,
            "fingerprint": index.fingerprint,
            "identity": index.identity,
            "decoders": list(index.decoders),
            "licence": index.licence,
            "citation": index.citation,
            "warnings": list(index.warnings),
            "findings": [asdict(finding) for finding in self.findings],
            "value_range": list(index.value_range) if index.value_range else None,
            "left_out": [asdict(each) for each in index.left_out],
            "broken": [{"part": image.part, "image": image.item, "reason": image.reason} for image in self.broken],
        }


def inspect_source(
    uri: str, data_root: Path | None = None, workers: int | None = None, full: bool = False
) -> Inspection:
    """Open a source and decode every image of it; errors as of ``open_source``.

    Args:
        data_root: folder of the named sets.
        workers: threads that decode; one for each core when not given.
        full: read every byte anew to identify the set, however large it is.
    """
    index = open_source(uri, data_root, reread=full, identity="content" if full else None)
    return Inspection(index, find_broken_images(index, workers), find_problems(index, make_splits(index, seed=0)))
