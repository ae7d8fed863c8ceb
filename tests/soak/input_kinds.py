"""The kinds of files that strangers make: a valid one of each, how it is changed, and who reads it."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.mutations import changed_bytes, changed_json, changed_lines, changed_yaml
from tests.support.source_cases import SOURCE_CASES, SourceCase

_FAULT_OF_DATA = frozenset((2, 4))
_FAULT_OF_SUITE = frozenset((2, 4))  # 4 where what it names is not there
_FAULT_OF_RESULTS = frozenset((1, 2))  # 2 where nothing is left to report
_CHEAP = 10  # weight of what is read in milliseconds


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Args:
        build: makes a valid example below a folder, from a finished study in another; returns the file that is changed.
        change: the file's new content, from the valid one.
        use: everything that reads it; it gets the folder and the file.
        codes: exit codes that a refusal may have.
        weight: how many of it are read, beside other kinds: fewer where reading takes long.
    """

    build: Callable[[Path, Path], Path]
    change: Callable[[bytes, random.Random], bytes]
    use: Callable[[Path, Path], None]
    codes: frozenset[int]
    weight: int = 1


def _suite(root: Path, study: Path) -> Path:
    return Path(shutil.copy(study / "suite.yaml", root))


def _use_suite(root: Path, file: Path) -> None:
    from trionet_bench.execution.plan import check_cells, make_plan
    from trionet_bench.suite.specification import load_suite

    plan = make_plan(load_suite(file), root / "results", root)
    check_cells(cell.job for cell in plan.cells if cell.job is not None)


def _in_results(pattern: str) -> Callable[[Path, Path], Path]:
    def build(root: Path, study: Path) -> Path:
        shutil.copytree(study / "results", root / "results")
        return next((root / "results").glob(pattern))

    return build


def _use_results(root: Path, file: Path) -> None:
    """Verify, and what every report begins with; one in twenty is written, which takes ten times as long."""
    from trionet_bench.analysis.results import load_by_task
    from trionet_bench.integrity.cells import is_doubtful
    from trionet_bench.integrity.verify import verify
    from trionet_bench.reporting.page import write_report

    folder = root / "results/soak"
    verify(root / "results")
    load_by_task([folder], doubt=is_doubtful)
    if file.stat().st_size % 20 == 0:
        shutil.rmtree(root / "reports", ignore_errors=True)
        write_report([folder], root / "reports", ["csv"])


def _use_record(root: Path, file: Path) -> None:
    """Plan, verify and report."""
    from trionet_bench.records.store import read_head

    read_head(file.parent)
    _use_results(root, file)


def _use_phase(root: Path, file: Path) -> None:
    """What a plan asks of a phase, and what verify says."""
    from trionet_bench.integrity.verify import verify
    from trionet_bench.records.phase import damage, finished_content

    damage(file.parent)
    verify(root / "results")
    finished_content(file.parent, "0" * 64, {})


def _use_network(root: Path, file: Path) -> None:
    """Load the network of a cell, and profile it."""
    from trionet_bench.networks.named import profile_network
    from trionet_bench.systems.trained import load_network

    profile_network(str(file.parent / "architecture.json"))
    load_network(file.parent, "cpu")


def _checkpoint(root: Path, study: Path) -> Path:
    import torch

    from trionet_bench.training.checkpoint import save_checkpoint

    file = root / "retrain.checkpoint"
    save_checkpoint(file, {"epoch": 1, "weights": {"a": torch.zeros(40)}, "rows": [{"loss": 1.0}]})
    return file


def _use_checkpoint(root: Path, file: Path) -> None:
    from trionet_bench.training.checkpoint import latest_checkpoint, load_checkpoint

    content = file.read_bytes()
    latest_checkpoint(file, ["epoch"])
    file.write_bytes(content)
    load_checkpoint(file)


def _ledger(root: Path, study: Path) -> Path:
    return Path(shutil.copy(next(study.glob("results/soak/*/trionet/*/evaluations.jsonl")), root))


def _use_ledger(root: Path, file: Path) -> None:
    from trionet_bench.search.evolution import Ledger
    from trionet_bench.training.history import read_history

    Ledger(file)
    read_history(file)


def _manifest(root: Path, study: Path) -> Path:
    _in_results("soak/suite.json")(root, study)
    (root / "reports").mkdir()
    return Path(shutil.copy(study / "reports/soak/report.json", root / "reports"))


def _use_manifest(root: Path, file: Path) -> None:
    from trionet_bench.reporting.page import write_report

    write_report([root / "results/soak"], root / "reports", ["csv"])


def _of_source(case: SourceCase, pattern: str) -> Callable[[Path, Path], Path]:
    def build(root: Path, study: Path) -> Path:
        (root / "uri").write_text(case.build(root, 0))
        return sorted(root.rglob(pattern))[0]

    return build


def _use_source(root: Path, file: Path) -> None:
    """Open a data set and decode its images."""
    from trionet_bench.data.findings import find_problems
    from trionet_bench.data.pipeline.loader import load_images
    from trionet_bench.data.pipeline.splits import make_splits
    from trionet_bench.data.sources.opening import open_source

    index = open_source((root / "uri").read_text(), root, root, reread=True)
    splits = make_splits(index, 0)
    find_problems(index, splits)
    load_images(index, splits, 8)


def _uri(root: Path, study: Path) -> Path:
    cases = ("npz", "csv", "folder", "synthetic")
    uris = [SOURCE_CASES[name].build(root, 0) for name in cases]
    (root / "uri").write_text(
        "\n".join([*uris, "hf:a/b@main?image=x", "torchvision:CIFAR100?subset=0.5", "imagenet:."])
    )
    return root / "uri"


def _changed_uri(content: bytes, generator: random.Random) -> bytes:
    options = ("subset=", "n=", "seed=", "range=", "flip=", "image=", "label=", "split=", "size=", "classes=", "x=")
    values = ("0", "-1", "1e9", "1e999", "nan", str(2**70), "", "a,b", "../..", "%00", "\x1b", "0.5", "é" * 300)
    uri = generator.choice(content.splitlines())
    for _ in range(generator.randint(0, 3)):
        option = f"{generator.choice(options)}{generator.choice(values)}".encode()
        uri += (b"&" if b"?" in uri else b"?") + option
    return changed_bytes(uri, generator) if generator.random() < 0.5 else uri


def _use_uri(root: Path, file: Path) -> None:
    from trionet_bench.data.sources.opening import open_source

    open_source(file.read_text(encoding="utf-8", errors="surrogateescape").partition("\n")[0], root, root)


def _source(name: str, pattern: str, change: Callable[[bytes, random.Random], bytes] = changed_bytes) -> Kind:
    return Kind(_of_source(SOURCE_CASES[name], pattern), change, _use_source, _FAULT_OF_DATA, _CHEAP)


KINDS: dict[str, Kind] = {
    "suite": Kind(_suite, changed_yaml, _use_suite, _FAULT_OF_SUITE, _CHEAP),
    "uri": Kind(_uri, _changed_uri, _use_uri, _FAULT_OF_DATA, _CHEAP),
    "csv": _source("csv", "table.csv", changed_lines),
    "npz": _source("npz", "arrays.npz"),
    "parquet": _source("hf", "train.parquet"),
    "image": _source("folder", "0.png"),
    "jpeg": _source("imagenet", "0.JPEG"),
    "pickle": _source("torchvision", "train"),
    "architecture": Kind(
        _in_results("soak/*/trionet/*/architecture.json"), changed_json, _use_network, _FAULT_OF_RESULTS
    ),
    "weights": Kind(_in_results("soak/*/trionet/*/model.safetensors"), changed_bytes, _use_network, _FAULT_OF_RESULTS),
    "record": Kind(_in_results("soak/*/trionet/*/record.json"), changed_json, _use_record, _FAULT_OF_RESULTS),
    "declaration": Kind(_in_results("soak/suite.json"), changed_json, _use_results, _FAULT_OF_RESULTS),
    "phase": Kind(_in_results("soak/phases/*/phase.json"), changed_json, _use_phase, _FAULT_OF_RESULTS),
    "predictions": Kind(
        _in_results("soak/*/trionet/*/predictions.npz"), changed_bytes, _use_results, _FAULT_OF_RESULTS
    ),
    "history": Kind(_in_results("soak/*/trionet/*/history.jsonl"), changed_lines, _use_results, _FAULT_OF_RESULTS),
    "evaluations": Kind(_ledger, changed_lines, _use_ledger, _FAULT_OF_RESULTS, _CHEAP),
    "checkpoint": Kind(_checkpoint, changed_bytes, _use_checkpoint, _FAULT_OF_RESULTS, _CHEAP),
    "manifest": Kind(_manifest, changed_json, _use_manifest, _FAULT_OF_RESULTS),
}
