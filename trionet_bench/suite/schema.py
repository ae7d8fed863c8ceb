"""The JSON Schema of suite files, for editors and for people who generate suites."""

from collections.abc import Sequence

from pydantic import BaseModel

from trionet_bench.jsontypes import JsonObject
from trionet_bench.spaces.presets import SPACES
from trionet_bench.suite.seeds import SeedPlan
from trionet_bench.suite.specification import SuiteFile
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training.recipe import Recipe, list_recipes

Schema = JsonObject  # a JSON Schema, or a part of one

# What a suite says for all models, and a model for itself.
_SHARED_KEYS = {"recipe": {"$ref": "#/$defs/recipe"}, "space": {"$ref": "#/$defs/space"}}
_REMOVED = {"type": "null"}  # an entry of the suite that this one extends


def suite_schema() -> Schema:
    """The schema of a suite file, with one alternative under ``models`` for each system.

    A file that extends another needs only a name, and may remove data sets and models by null.
    """
    schema = SuiteFile.model_json_schema(by_alias=True)
    recipe = _embedded(schema, "recipe", Recipe)
    schema["$defs"] |= {
        "recipe": _named_or("recipe", list_recipes(), _as_changes(schema, recipe)),
        "space": _named_or("space", list(SPACES), {"type": "object"}),
    }
    schema["properties"] |= _SHARED_KEYS
    schema["$defs"]["DatasetEntry"]["properties"]["recipe"] = _SHARED_KEYS["recipe"]
    listed = {key: schema["properties"]["seeds"].pop(key) for key in ("type", "items", "minItems")}
    schema["properties"]["seeds"]["anyOf"] = [listed, SeedPlan.model_json_schema()]
    models = [_model_schema(schema, name) for name in SYSTEMS.names()]
    one_model = {"oneOf": [*models, _REMOVED]}
    datasets = schema["properties"]["datasets"]["patternProperties"]
    datasets |= {names: {"anyOf": [entry, _REMOVED]} for names, entry in datasets.items()}
    schema["properties"]["models"] = {"type": "object", "minProperties": 1, "additionalProperties": one_model}
    conditions = {"if": {"required": ["extends"]}, "then": {"required": ["name"]}}
    conditions["else"] = {"required": schema.pop("required")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **conditions}


def _named_or(what: str, names: Sequence[str], written_out: Schema) -> Schema:
    return {"description": f"A named {what}, or one written out.", "anyOf": [{"enum": list(names)}, written_out]}


def _model_schema(schema: Schema, system: str) -> Schema:
    """The options of one system, and what every model may say besides."""
    options = _embedded(schema, system, SYSTEMS.get(system).options_type)
    options["title"] = system
    options["properties"] = {"system": {"const": system}, **_SHARED_KEYS, **options["properties"]}
    options["required"] = ["system", *options.get("required", ())]
    return options


def _embedded(schema: Schema, prefix: str, model: type[BaseModel]) -> Schema:
    """The schema of ``model``, its definitions moved to the top of ``schema`` under names with ``prefix``."""
    part = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    definitions = part.pop("$defs", {})
    schema.setdefault("$defs", {}).update({f"{prefix}.{name}": value for name, value in definitions.items()})
    return part


def _as_changes(schema: Schema, recipe: Schema) -> Schema:
    """A recipe that may name a base, from which it then takes what it does not say: no key is required."""
    for part in (recipe, *(value for name, value in schema["$defs"].items() if name.startswith("recipe."))):
        part.pop("required", None)
    recipe["properties"]["base"] = {"type": "string", "description": "A named recipe that this one changes."}
    return recipe
