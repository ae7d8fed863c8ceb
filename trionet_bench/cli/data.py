"""``trionet-bench data``: what sets are known and here, whether their images are whole, and the one way to download."""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trionet_bench.cli._options import data_root_option, json_option

if TYPE_CHECKING:
    from trionet_bench.data.sources.catalogue import NamedSet

MISSING = 4


@click.group()
def data() -> None:
    """Known data sets: list, check, fetch. Only `data fetch` downloads."""


@data.command("list")
@click.argument("name", required=False)
@data_root_option
@json_option
def list_sets(name: str | None, data_root: Path, as_json: bool) -> None:
    """The sets that are known by name, and whether they are here; with NAME, all about one.

    A source need not be named here: folder:PATH, imagenet:PATH, csv:PATH, npz:PATH, hf:PATH and hf:NAME@REVISION take
    any images.
    """
    from trionet_bench.data.sources.catalogue import named_set, named_sets

    sets = [named_set(name)] if name else list(named_sets().values())
    if as_json:
        rows = [{**facts.model_dump(), "present": _present(facts, data_root)} for facts in sets]
        click.echo(json.dumps({"schema": 1, "data_root": str(data_root), "sets": rows}))
    elif name:
        click.echo(_described(sets[0], data_root))
    else:
        for facts in sets:
            counts = " + ".join(f"{count} {part}" for part, count in facts.counts["train"].items())
            state = {True: "here", False: "-"}[_present(facts, data_root)]
            click.echo(f"{facts.name:14}{state:6}{facts.classes:5} classes  {counts:36}{facts.uri}")


@data.command()
@click.argument("source")
@data_root_option
@click.option("--workers", type=click.IntRange(min=1), help="Threads that decode.  [default: all cores]")
@json_option
def check(source: str, data_root: Path, workers: int | None, as_json: bool) -> None:
    """Open SOURCE, a URI or a known name, and decode every image of it. Exit code 4 if any is broken."""
    from trionet_bench.data.pipeline.check import inspect
    from trionet_bench.data.sources.catalogue import source_uri

    found = inspect(source_uri(source), data_root, workers)
    facts = found.facts()
    click.echo(json.dumps({"schema": 1, **facts}) if as_json else _checked(facts))
    if found.broken:
        raise click.exceptions.Exit(MISSING)


@data.command()
@click.argument("name")
@data_root_option
@json_option
def fetch(name: str, data_root: Path, as_json: bool) -> None:
    """Download NAME into the data root: a known name, hf:NAME@REVISION, or imagenet:PATH to unpack its archives."""
    from trionet_bench.data.sources.fetch import fetch as fetch_set

    index = fetch_set(name, data_root)
    if as_json:
        facts = {"source": index.uri, "counts": index.counts, "fingerprint": index.fingerprint}
        click.echo(json.dumps({"schema": 1, **facts}))
    else:
        click.echo(f"{index.uri} is here: {_parts(index.counts)}.")


def _present(facts: "NamedSet", data_root: Path) -> bool:
    return not facts.needs or facts.place(data_root) is not None


def _parts(counts: dict[str, int]) -> str:
    return " + ".join(f"{count} {part}" for part, count in counts.items())


def _described(facts: "NamedSet", data_root: Path) -> str:
    lines = [f"{facts.name}: {facts.uri}, {facts.classes} classes"]
    lines += [f"{choice}: {_parts(counts)}" for choice, counts in facts.counts.items()]
    lines += [facts.split] if facts.split else []
    lines += [f"Licence: {facts.licence}", f"Cite: {facts.citation}"]
    lines += ["Files, below the data root:", textwrap.indent(facts.layout.rstrip(), "    ")]
    lines += [facts.manual] if facts.manual else []
    lines.append(f"It is {'here' if _present(facts, data_root) else f'not in {data_root}'}.")
    return "\n".join(lines)


def _checked(facts: dict[str, Any]) -> str:
    colour = "grey" if facts["channels"] == 1 else "colour"
    lines = [
        f"{facts['source']}: {len(facts['classes'])} classes, {_parts(facts['counts'])}, {colour}, "
        f"{facts['native_size']} pixels",
        *(f"warning: {warning}" for warning in facts["warnings"]),
        *(f"broken: {entry['image']}: {entry['reason']}" for entry in facts["broken"]),
    ]
    lines += [f"Licence: {facts['licence']}", f"Cite: {facts['citation']}"] if facts["licence"] else []
    total, broken = sum(facts["counts"].values()), len(facts["broken"])
    lines.append(f"{broken} of {total} images are broken." if broken else f"All {total} images are whole.")
    return "\n".join(lines)
