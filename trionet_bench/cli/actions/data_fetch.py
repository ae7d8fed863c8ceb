"""Downloads a data set."""

import json
from pathlib import Path

from trionet_bench.cli.actions._counts import counts_text
from trionet_bench.data.sources.fetch import fetch
from trionet_bench.terminal import echo


def fetch_named(name: str, data_root: Path, as_json: bool) -> None:
    """Download a data set into ``data_root`` and print its counts. DataError where it cannot be downloaded."""
    index = fetch(name, data_root)
    if as_json:
        facts = {"source": index.uri, "counts": index.counts, "fingerprint": index.fingerprint}
        echo(json.dumps({"schema": 1, **facts}))
    else:
        echo(f"{index.uri} is here: {counts_text(index.counts)}.")
