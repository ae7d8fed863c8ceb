"""Makes the fake system a system like any other while these tests run, in worker processes and other programs too."""

from pathlib import Path

import pytest
from support import fake_system  # noqa: F401

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", "support.fake_system")
    monkeypatch.setenv("PYTHONPATH", f"{TESTS.parent}:{TESTS}")


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


@pytest.fixture(autouse=True)
def _nothing_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake system computes nothing, and measuring a pace takes longer than its cells."""
    from trionet_bench.execution import estimate

    monkeypatch.setattr(estimate, "seconds_of", lambda jobs, resources: {})
