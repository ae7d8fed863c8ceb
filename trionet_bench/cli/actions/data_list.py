"""Prints the named data sets and the kinds of sources."""

import json
import textwrap
from pathlib import Path

from trionet_bench.cli.actions._counts import counts_text
from trionet_bench.data.sources.catalogue import NamedSet, named_set, named_sets
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.terminal import echo


def print_sets(name: str | None, data_root: Path, as_json: bool) -> None:
    """Print one named data set, or all of them and the kinds of sources. UsageError for an unknown name."""
    sets = [named_set(name)] if name else list(named_sets().values())
    if as_json:
        rows = [{**facts.model_dump(), "present": _is_present(facts, data_root)} for facts in sets]
        sources = [{"scheme": each.name, "usage": each.usage, "summary": each.summary} for each in SOURCES]
        echo(json.dumps({"schema": 1, "data_root": str(data_root), "sets": rows, "sources": sources}))
    elif name:
        echo(_set_text(sets[0], data_root))
    else:
        for facts in sets:
            counts = " + ".join(f"{count} {part}" for part, count in facts.counts["train"].items())
            state = {True: "here", False: "-"}[_is_present(facts, data_root)]
            echo(f"{facts.name:14}{state:6}{facts.classes:5} classes  {counts:36}{facts.uri}")
        echo("Sources of any images:")
        for source in SOURCES:
            echo(f"    {source.usage:30}{source.summary}")


def _is_present(facts: NamedSet, data_root: Path) -> bool:
    return not facts.needs or facts.place(data_root) is not None


def _set_text(facts: NamedSet, data_root: Path) -> str:
    lines = [f"{facts.name}: {facts.uri}, {facts.classes} classes"]
    lines += [f"{choice}: {counts_text(counts)}" for choice, counts in facts.counts.items()]
    lines += [facts.split] if facts.split else []
    lines += [f"Licence: {facts.licence}", f"Cite: {facts.citation}"]
    lines += ["Files, below the data root:", textwrap.indent(facts.layout.rstrip(), "    ")]
    lines += [facts.manual] if facts.manual else []
    lines.append(f"It is {'here' if _is_present(facts, data_root) else f'not in {data_root}'}.")
    return "\n".join(lines)
