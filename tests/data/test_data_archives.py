"""Archives that others made: what is written, and what is refused."""

import io
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from trionet_bench.data.sources.archives import unpack_tar
from trionet_bench.errors import DataError


def archive_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def of_kind(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_files_and_folders_are_written_below_the_target(tmp_path: Path):
    packed = archive_of(
        tmp_path / "a.tar", (of_kind("empty", tarfile.DIRTYPE), b""), (tarfile.TarInfo("./deep/b/1.txt"), b"one")
    )
    unpack_tar(packed, tmp_path / "out")
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")} == {
        "empty",
        "deep",
        "deep/b",
        "deep/b/1.txt",
    }
    assert (tmp_path / "out/deep/b/1.txt").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/tmp/outside-of-archive.txt"])
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, name: str):
    packed = archive_of(tmp_path / "a.tar", (tarfile.TarInfo(name), b"x"))
    with pytest.raises(DataError, match=f"a file that would be written outside of .*out: '{name}'"):
        unpack_tar(packed, tmp_path / "out")
    assert not (tmp_path / "outside.txt").exists()
    assert not Path("/tmp/outside-of-archive.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: bytes):
    inner = (tarfile.TarInfo("link/1.txt"), b"x")  # through the link, were it made
    packed = archive_of(tmp_path / "a.tar", (of_kind("link", kind, str(tmp_path)), b""), inner)
    with pytest.raises(DataError, match="a link or device, which is not unpacked: 'link'"):
        unpack_tar(packed, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "1.txt").exists()


def test_more_than_the_disk_has_room_for_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    packed = archive_of(tmp_path / "a.tar", (tarfile.TarInfo("1"), b"x" * 600), (tarfile.TarInfo("2"), b"x" * 600))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match="holds more than the 1 kB that are free"):
        unpack_tar(packed, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1"]


@pytest.mark.parametrize("kept", [0, 100])
def test_what_is_no_archive_is_named(tmp_path: Path, kept: int):
    packed = archive_of(tmp_path / "a.tar", (tarfile.TarInfo("1"), b"x" * 600))
    packed.write_bytes(packed.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"a\.tar is no tar archive\. Get it again"):
        unpack_tar(tmp_path / "a.tar", tmp_path / "out")


def test_an_archive_that_ends_early_is_named(tmp_path: Path):
    packed = archive_of(tmp_path / "a.tar", (tarfile.TarInfo("1"), b"x" * 6000))
    packed.write_bytes(packed.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.tar cannot be read: unexpected end of data\. Get it again"):
        unpack_tar(packed, tmp_path / "out")
