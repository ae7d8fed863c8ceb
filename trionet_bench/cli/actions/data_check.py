"""Decodes every image of a data source and prints what it holds."""

import json
from pathlib import Path

from trionet_bench.cli.actions._counts import counts_text
from trionet_bench.data.inspection import Inspection, inspect_source
from trionet_bench.data.pipeline.broken_images import REMEDY
from trionet_bench.data.sources.catalogue import named_uri
from trionet_bench.terminal import echo


def check_source(source: str, data_root: Path, workers: int | None, full: bool, as_json: bool) -> bool:
    """Check a URI or named set, and print the result; returns whether the source is sound.

    Args:
        workers: threads that decode; None: one for each core.
        full: also digest every byte again.
    """
    inspection = inspect_source(named_uri(source), data_root, workers, full)
    echo(json.dumps({"schema": 1, **inspection.to_dict()}) if as_json else _inspection_text(inspection))
    return inspection.sound


def _inspection_text(inspection: Inspection) -> str:
    index, broken = inspection.index, inspection.broken
    colour = "grey" if index.channels == 1 else "colour"
    lines = [
        f"{index.uri}: {len(index.classes)} classes, {counts_text(index.counts)}, {colour}, {index.native_size} pixels",
        *(f"warning: {warning}" for warning in index.warnings),
        *(f"{finding.severity}: {finding.message}" for finding in inspection.findings),
        *(f"left out: {each}" for each in index.left_out),
        *(f"broken: {image.item}: {image.reason}" for image in broken),
    ]
    lines += [f"Licence: {index.licence}", f"Cite: {index.citation}"] if index.licence else []
    lines.append(_identity_text(inspection))
    total = sum(index.counts.values())
    lines.append(
        f"{len(broken)} of {total} images are broken. {REMEDY}" if broken else f"All {total} images are whole."
    )
    return "\n".join(lines)


def _identity_text(inspection: Inspection) -> str:
    index = inspection.index
    decoded = f", decoded by {', '.join(index.decoders)}" if index.decoders else ""
    if index.identity == "sample":
        known = "names, sizes and a sample of its files; --full reads all of them"
    else:
        known = "its content"
    return f"Known by {known}: {index.fingerprint[:16]}{decoded}."
