"""The JSON Schema of an experiment file, for editors: made from the types that the loader checks against.

msgspec's own generator cannot write defaults that are quantities, so this walks the same type information itself. The
schema can say less than the loader: names in the target, times that must fit and duplicate keys are the loader's alone.
`python -m harness.loading.schema` writes it to docs/experiment.schema.json.
"""

import inspect as documentation
import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from harness.experiment.experiment import Experiment
from harness.units import Quantity, enc_hook

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "experiment.schema.json"

Schema = dict[str, Any]

_USE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}  # a variable may stand for any value


def json_schema() -> Schema:
    """The schema of `Experiment`, in which `${name}` may stand in the place of any single value."""
    definitions: dict[str, Schema] = {}
    root = _schema(inspect.type_info(Experiment), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema(kind: inspect.Type, definitions: dict[str, Schema]) -> Schema:  # noqa: PLR0911, PLR0912 - one line for each type
    match kind:
        case inspect.StructType():
            return _struct(kind, definitions)
        case inspect.UnionType(types=types):
            return {"anyOf": [_schema(each, definitions) for each in types]}
        case inspect.VarTupleType(item_type=item_type):
            return {"type": "array", "items": _schema(item_type, definitions)}
        case inspect.TupleType(item_types=item_types):
            items = [_schema(each, definitions) for each in item_types]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        case inspect.DictType(value_type=value_type):
            return {"type": "object", "additionalProperties": _schema(value_type, definitions)}
        case inspect.EnumType(cls=words):
            return _or_use({"enum": [word.value for word in words]})
        case inspect.CustomType(cls=quantity):
            return _or_use(_quantity(quantity))
        case inspect.NoneType():
            return {"type": "null"}
        case inspect.StrType():
            return {"type": "string"}
        case inspect.BoolType():
            return _or_use({"type": "boolean"})
        case inspect.IntType():
            return _or_use({"type": "integer"})
        case inspect.FloatType():
            return _or_use({"type": "number"})
        case _:
            raise NotImplementedError(f"no schema for {kind}")


def _struct(kind: inspect.StructType, definitions: dict[str, Schema]) -> Schema:
    """A reference to the struct's definition, which is made when it is first met."""
    name = kind.cls.__name__
    if name not in definitions:
        definitions[name] = {}
        tag = {kind.tag_field: {"const": kind.tag}} if kind.tag_field else {}
        properties = {field.encode_name: _field(field, definitions) for field in kind.fields}
        required = [field.encode_name for field in kind.fields if field.required]
        definitions[name] = {
            "title": name,
            "description": documentation.cleandoc(kind.cls.__doc__ or ""),
            "type": "object",
            "properties": {**tag, **properties},
            "required": [*tag, *required],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _field(field: inspect.Field, definitions: dict[str, Schema]) -> Schema:
    schema = _schema(field.type, definitions)
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if field.required or default is None:
        return schema
    return {**schema, "default": msgspec.json.decode(msgspec.json.encode(default, enc_hook=enc_hook))}


def _quantity(quantity: type[Quantity]) -> Schema:
    units = "|".join(sorted(quantity.units, key=lambda unit: (-len(unit), unit)))
    pattern = rf"^\s*\+?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*({units})\s*$"
    return {"type": "string", "pattern": pattern, "description": f"Written like {quantity.example}."}


def _or_use(schema: Schema) -> Schema:
    """The schema or a use of a variable; a description goes in front, where editors look for it."""
    about = {"description": schema["description"]} if "description" in schema else {}
    return {**about, "anyOf": [{key: schema[key] for key in schema if key not in about}, _USE]}


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
