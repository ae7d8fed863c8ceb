"""Makes the fake system of ``fakes/systems/fake.py`` a system like any other while these tests run."""

from pathlib import Path

import pytest

from trionet_bench import systems

FAKES = Path(__file__).parent / "fakes"


@pytest.fixture(autouse=True)
def _fake_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(FAKES / "systems")])
    monkeypatch.syspath_prepend(str(FAKES))


@pytest.fixture
def suite_file(tmp_path: Path):
    """Writes a suite of fake models; ``models`` maps names to options, other keys replace what the suite says."""
    import yaml

    def write(models: dict[str, dict[str, object]] | None = None, **changes: object) -> Path:
        content = {
            "schema": 1,
            "name": "fakes",
            "datasets": {"digits": {"source": "sklearn:digits"}},
            "space": "resnet-nano",
            "recipe": "quick",
            "budgets": ["4M"],
            "models": {name: {"system": "fake", **options} for name, options in (models or {"one": {}}).items()},
            "seeds": [0, 1],
        } | changes
        path = tmp_path / "fakes.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write
