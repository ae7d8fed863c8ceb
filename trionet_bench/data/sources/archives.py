"""Unpacking tar archives that others made: regular files and folders, inside the folder that was named.

``TarFile.extractall(filter="data")`` does the same, and is missing from Python 3.11.0 to 3.11.3.
"""

import shutil
import tarfile
from pathlib import Path

from trionet_bench.data.reading import reading
from trionet_bench.errors import DataError
from trionet_bench.units import prefixed

REMEDY = "Get it again, or make room for what it holds."


def unpack_tar(archive: Path, target: Path) -> None:
    """Write the files of an archive, compressed or not, below ``target``, with the permissions of new files.

    Raises:
        DataError: where the archive is damaged, has a member that is no regular file or folder or that lies outside
            ``target``, or holds more than there is room for. What came before that member is written.
    """
    inside = target.resolve()
    inside.mkdir(parents=True, exist_ok=True)
    room = free = shutil.disk_usage(inside).free
    with reading(archive, REMEDY):
        if not tarfile.is_tarfile(archive):
            raise DataError(f"{archive} is no tar archive. {REMEDY}")
        with tarfile.open(archive) as packed:
            for member in packed:
                path = (inside / member.name).resolve()
                if not path.is_relative_to(inside):
                    raise DataError(f"{archive} has a file that would be written outside of {target}: {member.name!r}.")
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                content = packed.extractfile(member) if member.isreg() else None
                if content is None:
                    raise DataError(f"{archive} has a link or device, which is not unpacked: {member.name!r}.")
                room -= member.size
                if room < 0:
                    raise DataError(f"{archive} holds more than the {prefixed(free, separator=' ')}B that are free.")
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, path.open("wb") as file:
                    shutil.copyfileobj(content, file)
