"""Where compiled code comes from: only from a folder that no one else can write to, and as it was built."""

import ctypes
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trionet_bench.networks.attention.kernels import building
from trionet_bench.networks.attention.kernels.building import BuildError, compiled, compiler_command, private_folder

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here"),
    pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes"),
]
FLAGS = ("-shared", "-fPIC")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "seven.c"
    path.write_text("int seven(void) { return 7; }\n")
    return path


def counting(folder: Path, wait: float = 0.0) -> tuple[list[str], Path]:
    """A compiler with an argument of its own that writes down its calls, and that file."""
    calls, script = folder / "calls", folder / "counting cc"
    script.write_text(f'#!/bin/sh\necho "$*" >> "{calls}"\nsleep {wait}\nshift\nexec cc "$@"\n')
    script.chmod(0o755)
    return compiler_command(f"'{script}' -through"), calls


def builds(calls: Path) -> int:
    return sum("-shared" in line for line in calls.read_text().splitlines())


def test_a_library_is_built_once_and_only_for_this_user(source: Path, cache: Path, tmp_path: Path):
    compiler, calls = counting(tmp_path)
    library = compiled(compiler, source, FLAGS)
    assert compiled(compiler, source, FLAGS) == library
    assert builds(calls) == 1
    assert ctypes.CDLL(str(library)).seven() == 7
    assert (cache / "kernels").stat().st_mode & 0o777 == 0o700
    assert library.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "no digest", "others can write"])
def test_a_library_that_is_not_as_it_was_built_is_built_again(source: Path, tmp_path: Path, damage: str):
    compiler, calls = counting(tmp_path)
    library = compiled(compiler, source, FLAGS)
    sound = library.read_bytes()
    if damage == "no digest":
        library.with_suffix(".sha256").unlink()
    elif damage == "others can write":
        library.chmod(0o666)
    else:
        library.write_bytes({"cut": sound[:4096], "empty": b"", "other": b"\x7fELF" + bytes(5000)}[damage])
    again = compiled(compiler, source, FLAGS)
    assert again == library and builds(calls) == 2
    assert library.read_bytes() == sound
    assert library.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_could_write_to_is_emptied_and_closed(source: Path, cache: Path, tmp_path: Path):
    compiler, calls = counting(tmp_path)
    library = compiled(compiler, source, FLAGS)
    (cache / "kernels").chmod(0o777)
    compiled(compiler, source, FLAGS)
    assert builds(calls) == 2
    assert library.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_passed_over(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (cache / "kernels").mkdir(parents=True)
    monkeypatch.setattr(building, "temporary_folder", lambda: tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (cache / "kernels").rmdir()
    (cache / "kernels").symlink_to(tmp_path / "elsewhere")  # a link may lead to a folder of anyone
    assert private_folder() == tmp_path / "kernels"
    (tmp_path / "kernels").rmdir()
    (tmp_path / "kernels").write_text("no folder")
    with pytest.raises(BuildError, match="TRIONET_BENCH_CACHE"):
        private_folder()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_was_given_away_is_passed_over(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(building, "temporary_folder", lambda: tmp_path)
    (cache / "kernels").mkdir(parents=True)
    os.chown(cache / "kernels", 12345, 12345)
    assert private_folder() == tmp_path / "kernels"


def test_several_processes_build_once(source: Path, tmp_path: Path):
    compiler, calls = counting(tmp_path, wait=0.2)
    with ThreadPoolExecutor(3) as pool:  # a lock of a file holds between its openings, also within a process
        libraries = list(pool.map(lambda _: compiled(compiler, source, FLAGS), range(3)))
    assert len(set(libraries)) == 1
    assert builds(calls) == 1


def test_a_compiler_that_hangs_is_given_up_on_with_its_children(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script = tmp_path / "hanging"
    script.write_text('#!/bin/sh\ncase "$*" in *--version*) echo 1;; *) sleep 1000 & wait;; esac\n')
    script.chmod(0o755)
    monkeypatch.setattr(building, "BUILD_SECONDS", 0.2)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(TimeoutError, match="did not end within"):
            compiled([str(script)], source, FLAGS)
    assert time.monotonic() - began < 10


def test_a_compiler_that_fails_says_why(source: Path):
    with pytest.raises(BuildError, match="no-such-flag"):
        compiled(compiler_command("cc"), source, ("--no-such-flag",))
    with pytest.raises(BuildError, match="there is no compiler 'no-such-cc -O3'"):
        compiler_command("no-such-cc -O3")
