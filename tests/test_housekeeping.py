"""The files around the package agree with it."""

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import trionet_bench
from trionet_bench.extras import install_command

ROOT = Path(__file__).parents[1]
SPOKEN = (".md", ".yaml", ".sh", ".ipynb")  # suffixes of what people read


@pytest.fixture
def setup() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_one_version_everywhere(setup: ConfigParser):
    assert setup["metadata"]["version"] == "attr: trionet_bench.__version__"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == trionet_bench.__version__
    newest = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert newest.split()[1] == trionet_bench.__version__


def test_citations_agree():
    """CITATION.cff and the BibTeX of docs/citing.md name the same works and the same version."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    bibtex = (ROOT / "docs/citing.md").read_text()
    assert f"version = {{{citation['version']}}}" in bibtex
    titles = [reference["title"].lower() for reference in citation["references"]]
    plain = bibtex.replace("{", "").replace("}", "").lower()
    assert len(titles) == bibtex.count("@inproceedings") + bibtex.count("@article") == 3
    assert [title for title in titles if title not in plain] == []


def test_package_data_are_the_files_that_are_no_modules(setup: ConfigParser):
    package = ROOT / "trionet_bench"
    patterns = setup["options.package_data"]["trionet_bench"].split()
    matched = {pattern: set(package.glob(pattern)) for pattern in patterns}
    assert [pattern for pattern, files in matched.items() if not files] == []
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others - set().union(*matched.values()) == set()


def test_requirements_name_no_package_twice(setup: ConfigParser):
    required = setup["options"]["install_requires"].split()
    development = setup["options.extras_require"]["dev"].split()
    names = [requirement.partition(">")[0] for requirement in required + development]
    assert len(names) == len(set(names))
    assert "datasets" in names


def test_remedies_name_packages_that_any_pip_can_install(setup: ConfigParser):
    for extra, listed in setup["options.extras_require"].items():
        packages = listed.split()
        if extra != "dev":
            assert install_command(extra) in (
                shlex.join(["pip", "install", *packages]),
                f"pip install -e '.[{extra}]' in the checkout",  # an installation from before the extra
            )


def test_no_page_holds_both_sides_of_a_merge():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    marks = ("<<<<<<< ", ">>>>>>> ")
    assert [page.name for page in pages if any(line.startswith(marks) for line in page.read_text().splitlines())] == []


def test_no_file_has_the_marks_of_an_unfinished_merge():
    marked = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    texts = [path for pattern in ("*.md", "*.cfg", "*.toml", "*.yml") for path in ROOT.glob(pattern)]
    texts += [path for folder in ("docs", "suites") for path in (ROOT / folder).rglob("*") if path.suffix in SPOKEN]
    assert len(texts) > 20
    assert [str(path) for path in texts if marked.search(path.read_text())] == []
