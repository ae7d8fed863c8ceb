"""Tests that take ``path`` run once for each way in which attention can be computed."""

import pytest
from support.attention import PATHS, take


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return request.param
