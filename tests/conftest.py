"""Makes the helpers beside this file importable for the tests of every room, and says how long property tests run.

The soak is importable by the name that it has as a program, ``tests.soak``.

``--hypothesis-profile long`` makes each of them run on 2000 new examples instead of a few that are always the same.
"""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

settings.register_profile(
    "fast", max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
settings.register_profile("long", settings.get_profile("fast"), max_examples=2000, derandomize=False)
settings.load_profile("fast")
