"""A program in the place of ``trionet-bench`` whose study takes a moment, by which the attacks themselves are tested.

It has the commands and leaves the files that the attacks know. ``STAND_IN_FAULT`` names a promise that it breaks:
``differs``, where no two runs have equal results, ``traceback``, where an error is not put in words, and ``gives up``,
where a full disk is a lasting failure.
"""

import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path

from tests.soak.suite import NAME
from tests.soak.warm import serve

_MOMENT = 0.03  # seconds of a stage
_CONTENT = "what a study found\n" * 1000


def main(arguments: list[str]) -> None:
    """``run SUITE --OPTION VALUE...`` or ``report RESULTS --OPTION VALUE...``."""
    options = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    try:
        if arguments[0] == "run":
            results = Path(options["--results"]) / NAME
            _run(re.findall(r"(\w+): {system", Path(arguments[1]).read_text()), results)
            if "--no-report" not in arguments:
                _report(Path(options["--reports"]) / NAME)
        else:
            _report(Path(options["--out"]))
    except OSError as error:
        if _breaks("traceback"):
            raise
        print(f"{error.filename} cannot be written: {error.strerror}")
        sys.exit(1)


def _run(models: list[str], results: Path) -> None:
    for draft in results.rglob("*.tmp"):
        if not Path("/proc", str(int(draft.suffixes[-2][1:], 16))).exists():
            draft.unlink(missing_ok=True)
    for model in models:
        if model == "trionet":
            _job(results / "phases/supernet", "phase.json")
        cell = results / f"digits/{model}/200K-s0"
        try:
            _job(cell, "record.json")
        except OSError as error:
            if _breaks("gives up"):
                failure = {"type": "OSError", "message": str(error), "surroundings": False}
                (cell / "record.json").write_text(json.dumps({"status": "failed", "error": failure}))
            raise


def _job(folder: Path, last: str) -> None:
    if (folder / last).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".attempt").touch()
    time.sleep(_MOMENT)
    _write(folder / "history.jsonl", "{}\n")
    _write(folder / "model.safetensors", _CONTENT)
    time.sleep(_MOMENT)
    value = os.getpid() if _breaks("differs") else 0
    _write(folder / last, json.dumps({"status": "complete", "value": value}))


def _report(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    time.sleep(_MOMENT)
    _write(folder / "index.html", "<p>what a study found</p>")
    _write(folder / "report.json", "{}")


def _write(path: Path, text: str) -> None:
    """A whole file or none."""
    draft = path.with_name(f".{path.name}.{os.getpid():08x}.tmp")
    try:
        with draft.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        error.filename = error.filename or path
        raise


def _breaks(promise: str) -> bool:
    return os.environ.get("STAND_IN_FAULT") == promise


if __name__ == "__main__":
    serve(main) if sys.argv[1:] == ["--serve"] else main(sys.argv[1:])
