"""Prints the named data sets and the kinds of sources, or what a suite needs."""

import json
import textwrap
from pathlib import Path

from trionet_bench.cli.actions._counts import counts_text
from trionet_bench.data.sources.base import Places
from trionet_bench.data.sources.catalogue import NamedSet, facts_of, named_set, named_sets
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.data.sources.uri import parse_uri
from trionet_bench.errors import DataError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.specification import load_suite
from trionet_bench.terminal import echo


def print_sets(name: str | None, data_root: Path, in_full: bool, as_json: bool) -> None:
    """Print one named data set, or all of them and the kinds of sources. UsageError for an unknown name.

    Args:
        in_full: also licence, citation, and what is missing or how to get it.
    """
    sets = [named_set(name)] if name else list(named_sets().values())
    if as_json:
        rows = [_set_json(facts, data_root) for facts in sets]
        sources = [{"scheme": each.name, "usage": each.usage, "summary": each.summary} for each in SOURCES]
        echo(json.dumps({"schema": 1, "data_root": str(data_root), "sets": rows, "sources": sources}))
    elif name:
        echo(_set_text(sets[0], data_root))
    else:
        for facts in sets:
            counts = " + ".join(f"{count} {part}" for part, count in facts.counts["train"].items())
            standing = facts.standing(data_root)
            echo(f"{facts.name:14}{standing.state:8}{facts.classes:5} classes  {counts:36}{facts.uri}")
            if in_full:
                echo(_indented(standing.detail, f"Licence: {facts.licence}", f"Cite: {facts.citation}"))
        echo("Sources of any images:")
        for source in SOURCES:
            echo(f"    {source.usage:30}{source.summary}")


def print_needed(suite: str, data_root: Path, as_json: bool) -> None:
    """Print for each data set of a suite whether it can be opened, and else why not and how to get it."""
    loaded = load_suite(suite)
    rows = []
    for name, entry in loaded.datasets.items():
        facts = facts_of(entry.source)
        row: JsonObject = {
            "name": name,
            "source": entry.source,
            "licence": facts.licence if facts else _licence_beside(entry.source, data_root, loaded.bases[name]),
            "citation": facts.citation if facts else None,
        }
        try:
            index = open_source(entry.source, data_root, loaded.bases[name])
            row |= {"state": "here", "detail": counts_text(index.counts)}
        except DataError as error:
            standing = facts.standing(data_root) if facts else None
            state = standing.state if standing and standing.state != "here" else "missing"
            row |= {"state": state, "detail": str(error)}
        rows.append(row)
    if as_json:
        echo(json.dumps({"schema": 1, "suite": loaded.name, "sets": rows}))
        return
    width = max(14, *(len(row["name"]) + 2 for row in rows))
    for row in rows:
        echo(f"{row['name']:{width}}{row['state']:8}{row['source']}")
        licence = f"Licence: {row['licence'] or 'not known to this program; ask whoever made the images'}"
        echo(_indented(row["detail"], licence, *([f"Cite: {row['citation']}"] if row["citation"] else [])))


def _licence_beside(source: str, data_root: Path, base: Path) -> str | None:
    """Where the licence file of a person's own data is; None where there is none."""
    folder = Places.of(data_root, base).resolve(parse_uri(source).path)
    return next((f"see {file}" for file in sorted(folder.glob("LICEN[CS]E*"))), None)


def _indented(*lines: str) -> str:
    return textwrap.indent("\n".join(lines), " " * 14)


def _set_json(facts: NamedSet, data_root: Path) -> JsonObject:
    standing = facts.standing(data_root)
    present = standing.state == "here"
    return {**facts.model_dump(), "present": present, "state": standing.state, "detail": standing.detail}


def _set_text(facts: NamedSet, data_root: Path) -> str:
    standing = facts.standing(data_root)
    lines = [f"{facts.name}: {facts.uri}, {facts.classes} classes"]
    lines += [f"{choice}: {counts_text(counts)}" for choice, counts in facts.counts.items()]
    lines += [facts.split] if facts.split else []
    lines += [f"Licence: {facts.licence}", f"Cite: {facts.citation}"]
    lines += ["Files, below the data root:", textwrap.indent(facts.layout.rstrip(), "    ")]
    lines += [facts.manual] if facts.manual else []
    states = {
        "here": "It is here.",
        "partial": f"It is here in part: {standing.detail}.",
        "wrong": f"It is not here: {standing.detail}.",
        "fetch": f"It is not in {data_root}; get it by `{standing.detail}`.",
        "by hand": f"It is not in {data_root}.",
    }
    return "\n".join([*lines, states[standing.state]])
