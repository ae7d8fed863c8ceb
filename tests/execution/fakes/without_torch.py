"""Importing this puts the stand-ins for torch in place."""

import sys

from stand_ins import MODULES

sys.modules.update(MODULES)
