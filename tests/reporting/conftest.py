import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from fabricated import fabricate, fabricate_ranked

MISSING = ("textures", "local", 4_000_000, 2)
FAILED = ("flowers", "axial", 8_000_000, 1)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three data sets, five models, two budgets, three seeds; one cell failed, one is missing."""
    return fabricate(tmp_path_factory.mktemp("results"), failed=(FAILED,), missing=(MISSING,))


@pytest.fixture(scope="session")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A correlation of two supernets over thirty architectures."""
    return fabricate_ranked(tmp_path_factory.mktemp("ranked"))
