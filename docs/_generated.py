"""Pages of the site that are made from the program itself while mkdocs builds it: commands, suite files, records, and
the gallery of committed reports.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from griffe import Docstring, DocstringSectionKind
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from trionet_bench.cli.main import main  # noqa: E402  of this checkout
from trionet_bench.records.record import Record  # noqa: E402
from trionet_bench.spaces.presets import SPACES  # noqa: E402
from trionet_bench.suite.schema import suite_schema  # noqa: E402
from trionet_bench.systems.registry import SYSTEMS  # noqa: E402
from trionet_bench.training.recipe import list_recipes  # noqa: E402

Schema = dict[str, Any]
_SHARED = {  # keys whose values have tables of their own
    "recipe": "How networks are trained; in a data set or a model what differs there.",
    "space": "What networks there are; in a model what differs there.",
    "system": "Which system.",
    "models": "By name: `{system: NAME, ...options}`; the tables of systems have the options.",
    "precision_reason": "What `auto` was decided by; not to be written.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages, and the committed reports with their pictures."""
    pages = {"commands.md": commands_page(), "suite-file.md": suite_page(), "record.md": record_page()}
    pages |= {"notebook.md": notebook_page(), "gallery.md": gallery_page()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for report in sorted((ROOT / "reports").glob("*/report.md")):
        for path in (report, *sorted(report.parent.glob("figures/*.png"))):
            place = path.relative_to(ROOT / "reports")
            files.append(File.generated(config, f"gallery/{place.as_posix()}", abs_src_path=str(path)))
    return files


def notebook_page() -> str:
    """The executed notebook with what its cells showed."""
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = {kind: "".join(text) for kind, text in output["data"].items()}
            if "image/png" in data:
                parts.append(f'<img alt="what the cell shows" src="data:image/png;base64,{data["image/png"].strip()}">')
            else:
                parts.append(_plain_tables(data.get("text/html", "")) or f"```text\n{data['text/plain']}\n```")
    parts.append("The same as a file: `docs/notebook.ipynb` of the repository.")
    return "\n\n".join(parts) + "\n"


def _plain_tables(html: str) -> str:
    """Tables of data frames without their own looks."""
    return re.sub(r"<style.*?</style>\n?|(?<=<table) [^>]*|(?<=<tr) [^>]*", "", html, flags=re.S)


def gallery_page() -> str:
    """The committed reports, each with its first sentence."""
    parts = [
        "# Gallery",
        "Reports that lie in the repository. `trionet-bench report NAME` writes each again from its records, to the "
        "byte.",
    ]
    for report in sorted((ROOT / "reports").glob("*/report.md")):
        title, answer, *_ = report.read_text(encoding="utf-8").split("\n\n")
        link = f"gallery/{report.parent.name}/report.md"
        parts.append(f"## [{report.parent.name}]({link})\n\n**{title.removeprefix('# ')}**\n\n{answer}")
        placement = report.parent / "figures" / "placement.png"
        if placement.is_file():
            picture = f"gallery/{report.parent.name}/figures/placement.png"
            parts.append(f"[![Which operator was found where]({picture})]({link})")
    parts.append(
        "The page that a study writes, `index.html`, is one file without scripts, light or dark as the reader's system "
        "is:\n\n![The top of a report: the answer in sentences, accuracy against latency and MACs](report.png)"
    )
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """What every command's --help says."""
    parts = ["# Commands", "As `--help` says it. Results go to stdout, progress and messages to stderr."]
    for name, command in _commands(main, "trionet-bench"):
        with click.Context(command, info_name=name) as context:
            parts.append(f"## {name.removeprefix('trionet-bench ')}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts) + "\n"


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=name)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def suite_page() -> str:
    """Every key of a suite file."""
    schema = suite_schema()
    definitions = schema["$defs"]
    recipe = definitions["recipe"]["anyOf"][1]
    parts = [
        "# Suite files",
        "Made from the schema that checks them. `trionet-bench suite schema` prints it as JSON Schema, for editors; "
        "`trionet-bench suite validate my-suite.yaml` checks a file and names the line of every fault.",
        _table("The suite", schema),
        _table("A data set, under `datasets: {NAME: ...}`", definitions["DatasetEntry"]),
        _table("A comparison, under `comparisons: [...]`", definitions["Comparison"]),
    ]
    for model in schema["properties"]["models"]["additionalProperties"]["oneOf"]:
        if "properties" in model:
            options = SYSTEMS.get(model["title"]).options_type
            inherited = [_docstring(inspect.cleandoc(base.__doc__ or ""))[1] for base in reversed(options.__mro__)]
            meanings = dict(item for each in inherited for item in each.items())
            parts.append(_table(f"A model of system `{model['title']}`", model, meanings))
    parts += [
        f"## Spaces\n\nNamed ones are {_listed(SPACES)}; `{{base: NAME, dimension: [...]}}` changes one. "
        "`trionet-bench suite show NAME` prints a suite with its space.",
        _table(f"A recipe: {_listed(list_recipes())}, or `{{base: NAME, ...changes}}`", recipe),
    ]
    for name, part in definitions.items():
        if name.startswith("recipe."):
            parts.append(_table(f"`{name.lower()}`", part))
    return "\n\n".join(parts) + "\n"


def record_page() -> str:
    """Every field of a record."""
    schema = Record.model_json_schema(by_alias=True)
    parts = [
        "# Records",
        "`record.json` is the whole result of a cell; tables and figures need nothing else of it. Fractions are 0 to "
        "1, costs are MACs, times seconds, sizes bytes. From Python: `trionet_bench.results(...).cells`.",
        _table("The record", schema),
    ]
    parts += [_table(name, part) for name, part in schema["$defs"].items() if "properties" in part]
    return "\n\n".join(parts) + "\n"


def _table(title: str, schema: Schema, inherited: dict[str, str] | None = None) -> str:
    """A heading, what the model says of itself, and a row for each key; what its bases say of keys is ``inherited``."""
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    required = {*schema.get("required", ()), *schema.get("else", {}).get("required", ())}
    about, meanings = _docstring(schema.get("description", ""))
    meanings = (inherited or {}) | meanings
    for key, value in schema["properties"].items():
        default = "required" if key in required else _default(value)
        meaning = value.get("description") or meanings.get(key) or _SHARED.get(key, "")
        rows.append(f"| `{key}` | {_type(value)} | {default} | {_cell(meaning)} |")
    return "\n\n".join(part for part in (f"## {title}", about, "\n".join(rows)) if part)


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """The prose of a docstring, and what it says of each argument."""
    prose, meanings = [], {}
    for section in Docstring(text).parse("google", warnings=False):
        if section.kind is DocstringSectionKind.text:
            prose.append(section.value.replace("``", "`"))
        elif section.kind is DocstringSectionKind.parameters:
            for parameter in section.value:
                meanings |= dict.fromkeys(parameter.name.split(", "), parameter.description.replace("``", "`"))
    return "\n\n".join(prose), meanings


def _default(value: Schema) -> str:
    """The default in short; that of a part with keys of its own is in its table."""
    default = value.get("default")
    return "" if "default" not in value or isinstance(default, dict) else _code(default)


def _type(value: Schema) -> str:
    """The type in words."""
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2].removeprefix("recipe.").lower()
    if "const" in value:
        return _code(value["const"])
    if "enum" in value:
        return _listed(value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(each) for each in value["anyOf"]))
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}" if "items" in value else "list"
    if isinstance(value.get("additionalProperties"), dict) and value["additionalProperties"].get("type"):
        return f"mapping to {_type(value['additionalProperties'])}"
    names = {"object": "mapping", "null": "null", "integer": "whole number", "boolean": "true or false", None: "any"}
    return names.get(value.get("type"), value.get("type"))


def _listed(names: Any) -> str:
    return ", ".join(_code(name) for name in names)


def _code(value: object) -> str:
    """A value as YAML has it."""
    text = value if isinstance(value, str) and value else json.dumps(value)
    return f"`{_cell(text)}`"


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
