"""Failed records that a plain run would leave as they are."""

import json
from collections.abc import Iterator
from pathlib import Path


def lasting_failures(results: Path) -> Iterator[str]:
    """What is wrong with the records below a results folder: torn, or failed for good by the surroundings."""
    for path in results.glob("*/*/*/*/record.json"):
        try:
            record = json.loads(path.read_text())
        except ValueError:
            yield f"{path.name} is torn"
            continue
        if record["status"] == "failed" and not record["error"]["surroundings"]:
            yield f"a lasting failure: {record['error']['type']}: {record['error']['message']}"
