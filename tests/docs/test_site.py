"""The documentation site builds without a warning, from what is here."""

import subprocess
import sys
from pathlib import Path

from support.guides import DOCS


def test_the_site_builds_without_a_warning(tmp_path: Path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    suite = (tmp_path / "suite-file/index.html").read_text()
    assert "skip_broken" in suite  # a key of the schema
    assert "inherited_val_not_recalibrated" in (tmp_path / "record/index.html").read_text()
    assert "--retry-failed" in (tmp_path / "commands/index.html").read_text()
    assert "AxialAttention" in (tmp_path / "api/index.html").read_text()
    assert "sbatch" in (tmp_path / "clusters/index.html").read_text()
    assert "data:image/png;base64" in (tmp_path / "notebook/index.html").read_text()
    assert (tmp_path / "gallery/photos/figures/placement.png").is_file()
