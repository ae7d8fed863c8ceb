"""The JSON Schema of suite files, for editors and for people who generate suites."""

from typing import Any

from trionet_bench.spaces.presets import SPACES
from trionet_bench.suite.specification import SuiteFile
from trionet_bench.systems import load_system, system_names
from trionet_bench.training.recipe import Recipe, list_recipes

# What a suite says for all models, and a model for itself.
_EVERYWHERE = {"recipe": {"$ref": "#/$defs/recipe"}, "space": {"$ref": "#/$defs/space"}}


def suite_schema() -> dict[str, Any]:
    """The schema, with one alternative under ``models`` for each system."""
    schema = SuiteFile.model_json_schema(by_alias=True)
    written_out = _nested(schema, "recipe", Recipe.model_json_schema, optional=True)
    schema["$defs"] |= {
        "recipe": _named_or("recipe", list_recipes(), written_out),
        "space": _named_or("space", list(SPACES), {"type": "object"}),
    }
    schema["properties"] |= _EVERYWHERE
    models = [_model(schema, name) for name in system_names()]
    schema["properties"]["models"] = {"type": "object", "minProperties": 1, "additionalProperties": {"oneOf": models}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _named_or(what: str, names: list[str], written_out: dict[str, Any]) -> dict[str, Any]:
    return {"description": f"A named {what}, or one written out.", "anyOf": [{"enum": names}, written_out]}


def _model(schema: dict[str, Any], system: str) -> dict[str, Any]:
    """One system's options, and what every model may say besides."""
    options = _nested(schema, system, load_system(system).Options.model_json_schema)
    options["title"] = system
    options["properties"] = {"system": {"const": system}, **_EVERYWHERE, **options["properties"]}
    options["required"] = ["system", *options.get("required", ())]
    return options


def _nested(schema: dict[str, Any], prefix: str, make: Any, optional: bool = False) -> dict[str, Any]:
    """A model's schema with its definitions moved to the top under ``prefix``; ``optional`` lets a base supply keys."""
    own: dict[str, Any] = make(ref_template=f"#/$defs/{prefix}.{{model}}")
    definitions = own.pop("$defs", {})
    if optional:
        for part in (own, *definitions.values()):
            part.pop("required", None)
        own["properties"]["base"] = {"type": "string", "description": "A named recipe that this one changes."}
    schema.setdefault("$defs", {}).update({f"{prefix}.{name}": part for name, part in definitions.items()})
    return own
