"""What would be released: a source distribution, the wheel that is built from it, and the program in that wheel."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import trionet_bench
from trionet_bench.data.sources.archives import unpack_tar

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def built(kind: str, source: Path, out: Path) -> Path:
    """The one file that a build of a source folder leaves in ``out``."""
    subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(out)], cwd=source, capture_output=True, text=True, check=True
    )
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds what the wheel installs, and nothing of this checkout."""
    top = tmp_path_factory.mktemp("release")
    checkout = top / "checkout"
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "results", "reports", "data")
    shutil.copytree(
        ROOT, checkout, ignore=lambda folder, names: leave_out(folder, names) if folder == str(ROOT) else []
    )
    for name in ("sdist", "wheel", "source", "installed"):
        (top / name).mkdir()
    unpack_tar(built("build_sdist", checkout, top / "sdist"), top / "source")
    (source,) = (top / "source").iterdir()
    with zipfile.ZipFile(built("build_wheel", source, top / "wheel")) as wheel:
        wheel.extractall(top / "installed")
    return top / "installed"


def test_the_wheel_has_all_that_the_program_needs(installed: Path):
    package, suites = installed / "trionet_bench", ROOT / "suites"
    assert {path.name for path in (package / "shipped").iterdir()} == {path.name for path in suites.glob("*.yaml")}
    modules = {path.relative_to(ROOT / "trionet_bench") for path in (ROOT / "trionet_bench").rglob("*.py")}
    assert {path.relative_to(package) for path in package.rglob("*.py")} == modules
    for name in ("py.typed", "networks/attention/kernels/attention.c", "reporting/templates/page.html.j2"):
        assert (package / name).is_file()
    (about,) = installed.glob("*.dist-info")
    metadata = (about / "METADATA").read_text()
    assert f"Version: {trionet_bench.__version__}\n" in metadata
    assert "trionet-bench = trionet_bench.__main__:run" in (about / "entry_points.txt").read_text()
    assert {path.name for path in installed.iterdir()} == {"trionet_bench", about.name}  # no tests, no docs


def test_the_program_runs_from_the_wheel(installed: Path, tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "trionet_bench", "suite", "list", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    listed = {row["name"] for row in json.loads(done.stdout)["suites"]}
    assert listed == {path.stem for path in (ROOT / "suites").glob("*.yaml")}


def test_no_link_stands_in_the_checkout():
    """Checkouts on Windows make text files of them."""
    folders = [ROOT / name for name in ("trionet_bench", "suites", "tests", "docs")]
    assert [path for folder in folders for path in folder.rglob("*") if path.is_symlink()] == []
