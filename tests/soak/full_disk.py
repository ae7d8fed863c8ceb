"""A study on a disk that is full at some size; then there is room, and a plain second run completes it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak.failures import lasting_failures
from tests.soak.findings import Outcome
from tests.soak.ran import ended
from tests.soak.study import Study, environment
from tests.soak.warm import Warm

_SMALLEST = 16 * 1024  # bytes
_ROOMY = "1g"
_ALLOWED = (1, 3)  # exit codes on a full disk: a store error, cells that failed by their surroundings


def full_disk(home: Path, sizes: int, seed: int, outcome: Outcome) -> None:
    """So many sizes, evenly from next to nothing to just less than the study needs. ``seed`` is of no use here."""
    disk = home / "disk"
    disk.mkdir()
    try:
        with _mounted(disk, _ROOMY):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        outcome.skipped = f"a tmpfs cannot be mounted here: {error}"
        return
    with Warm(environment(home)) as warm:
        expected = Study.at(home, home / "undisturbed")
        ran = warm.run(expected.arguments, home / "run.txt")
        if ran.code:
            raise RuntimeError(f"the study fails undisturbed: {ran.tail}")
        needed = sum(4096 * (path.stat().st_size // 4096 + 1) for path in expected.folder.rglob("*"))
        for number in range(sizes):
            size = _SMALLEST + (needed - _SMALLEST) * number // sizes
            where = f"a disk of {size} bytes"
            with _mounted(disk, str(size)):
                study = Study.at(home, disk / "study")
                ran = ended(warm.start(study.arguments, home / "run.txt"), home / "run.txt")
                outcome.count("sizes")
                outcome.count(f"exit code {ran.code}")
                outcome.found(where, *ran.faults, *lasting_failures(study.folder / "results"))
                if ran.code not in _ALLOWED:
                    outcome.found(where, f"exit code {ran.code}: {ran.tail}")
                subprocess.run(["mount", "-o", f"remount,size={_ROOMY}", str(disk)], check=True)
                again = warm.run(study.arguments, home / "run.txt")
                outcome.found(where, *again.faults)
                if again.code:
                    outcome.found(where, f"the run after it has exit code {again.code}: {again.tail}")
                outcome.found(where, *study.unlike(expected))


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[None]:
    mount = shutil.which("mount")
    if mount is None:
        raise OSError("there is no program mount")
    subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
