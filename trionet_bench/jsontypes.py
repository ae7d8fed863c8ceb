"""What JSON files hold."""

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]  # names to whatever JSON has
