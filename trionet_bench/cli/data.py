"""``trionet-bench data``: which data sets are known and present, whether their images decode, and downloads."""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trionet_bench.cli._options import data_root_option, json_option

if TYPE_CHECKING:
    from trionet_bench.data.index import LeftOut
    from trionet_bench.data.inspection import Inspection
    from trionet_bench.data.sources.catalogue import NamedSet

DATA_MISSING = 4  # exit code


@click.group()
def data() -> None:
    """Known data sets: list, check, fetch. Only `data fetch` downloads."""


@data.command("list")
@click.argument("name", required=False)
@data_root_option
@json_option
def list_sets(name: str | None, data_root: Path, as_json: bool) -> None:
    """The sets that are known by name, whether they are here, and the kinds of sources; with NAME, one set."""
    from trionet_bench.data.sources.catalogue import named_set, named_sets
    from trionet_bench.data.sources.registry import SOURCES

    sets = [named_set(name)] if name else list(named_sets().values())
    if as_json:
        rows = [{**facts.model_dump(), "present": _is_present(facts, data_root)} for facts in sets]
        sources = [{"scheme": each.name, "usage": each.usage, "summary": each.summary} for each in SOURCES]
        click.echo(json.dumps({"schema": 1, "data_root": str(data_root), "sets": rows, "sources": sources}))
    elif name:
        click.echo(_set_text(sets[0], data_root))
    else:
        for facts in sets:
            counts = " + ".join(f"{count} {part}" for part, count in facts.counts["train"].items())
            state = {True: "here", False: "-"}[_is_present(facts, data_root)]
            click.echo(f"{facts.name:14}{state:6}{facts.classes:5} classes  {counts:36}{facts.uri}")
        click.echo("Sources of any images:")
        for source in SOURCES:
            click.echo(f"    {source.usage:30}{source.summary}")


@data.command()
@click.argument("source")
@data_root_option
@click.option("--workers", type=click.IntRange(min=1), help="Threads that decode.  [default: all cores]")
@click.option(
    "--full", is_flag=True, help="Also read every byte anew; a set above 20 GB is from then on known by all of them."
)
@json_option
def check(source: str, data_root: Path, workers: int | None, full: bool, as_json: bool) -> None:
    """Open SOURCE, a URI or a known name, and decode every image of it. Exit code 4 if it is not sound."""
    from trionet_bench.data.inspection import inspect_source
    from trionet_bench.data.sources.catalogue import named_uri

    inspection = inspect_source(named_uri(source), data_root, workers, full)
    click.echo(json.dumps({"schema": 1, **inspection.to_dict()}) if as_json else _inspection_text(inspection))
    if not inspection.sound:
        raise click.exceptions.Exit(DATA_MISSING)


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
        click.echo(f"{index.uri} is here: {_counts_text(index.counts)}.")


def _is_present(facts: "NamedSet", data_root: Path) -> bool:
    return not facts.needs or facts.place(data_root) is not None


def _counts_text(counts: dict[str, int]) -> str:
    return " + ".join(f"{count} {part}" for part, count in counts.items())


def _set_text(facts: "NamedSet", data_root: Path) -> str:
    lines = [f"{facts.name}: {facts.uri}, {facts.classes} classes"]
    lines += [f"{choice}: {_counts_text(counts)}" for choice, counts in facts.counts.items()]
    lines += [facts.split] if facts.split else []
    lines += [f"Licence: {facts.licence}", f"Cite: {facts.citation}"]
    lines += ["Files, below the data root:", textwrap.indent(facts.layout.rstrip(), "    ")]
    lines += [facts.manual] if facts.manual else []
    lines.append(f"It is {'here' if _is_present(facts, data_root) else f'not in {data_root}'}.")
    return "\n".join(lines)


def _inspection_text(inspection: "Inspection") -> str:
    index, broken = inspection.index, inspection.broken
    colour = "grey" if index.channels == 1 else "colour"
    lines = [
        f"{index.uri}: {len(index.classes)} classes, {_counts_text(index.counts)}, {colour}, "
        f"{index.native_size} pixels",
        *([f"numbers {index.value_range} of 16-bit or float images are black and white"] if index.value_range else []),
        *(f"warning: {warning}" for warning in index.warnings),
        *(f"{finding.severity}: {finding.message}" for finding in inspection.findings),
        *(f"left out: {_left_out_text(each)}" for each in index.left_out),
        *(f"broken: {image.item}: {image.reason}" for image in broken),
    ]
    lines += [f"Licence: {index.licence}", f"Cite: {index.citation}"] if index.licence else []
    lines.append(_identity_text(inspection))
    total = sum(index.counts.values())
    lines.append(f"{len(broken)} of {total} images are broken." if broken else f"All {total} images are whole.")
    return "\n".join(lines)


def _left_out_text(each: "LeftOut") -> str:
    files = "file" if each.count == 1 else "files"
    return f"{each.count} {files} {each.suffix or 'without suffix'}: {each.reason}, such as {each.example}"


def _identity_text(inspection: "Inspection") -> str:
    index = inspection.index
    decoded = f", decoded by {', '.join(index.decoders)}" if index.decoders else ""
    if index.identity == "sample":
        known = "names, sizes and a sample of its files; --full reads all of them"
    else:
        known = "its content"
    return f"Known by {known}: {index.fingerprint[:16]}{decoded}."
