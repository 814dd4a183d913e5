"""Checks a document against a type, and turns msgspec's first error into what a person can act on.

msgspec says what it met and where; this adds file, line, the nearest known word and all the known ones.
"""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from harness.errors import ExperimentError
from harness.loading.yaml_file import Document, Where
from harness.units import Quantity, dec_hook

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*) - at `(?P<path>\$[^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\[\.\.\.\]")
_LENGTH = re.compile(r"Expected `array` of length (\d+).*")
_EXPECTED = re.compile(r"Expected `(.*)`, got `(.*)`")
_NOUNS = {"kind": "a fault", "check": "a check", "shape": "a change of the rate", "metric": "a stop condition"}
_PLAIN_NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping (key: value)",
    "array": "a list",
    "null": "nothing",
}


def convert(document: Document, value: object, wanted: type[T]) -> T:
    """The document's `value` as `wanted`; ExperimentError with place and hint for the first thing that is wrong."""
    try:
        return msgspec.convert(value, wanted, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        what, where = _located(str(error), value, wanted)
        raise _mistake(document, value, wanted, what, where) from error


def shortened(value: object) -> str:
    """The value as a person wrote it, in quotes if it is text, at most 60 characters."""
    text = str(value)
    text = text if len(text) <= 60 else text[:57] + "…"
    return f'"{text}"' if isinstance(value, str) else text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean "latency"? Known: bandwidth, latency.`, without the question where nothing is near."""
    words = sorted(known)
    by_lower = {name.lower(): name for name in words}
    near = difflib.get_close_matches(word[:60].lower(), by_lower, n=1)
    question = f'Did you mean "{by_lower[near[0]]}"? ' if near else ""
    return f"{question}Known: {', '.join(words) or 'none'}."


def _located(message: str, value: object, wanted: type) -> tuple[str, Where]:
    """msgspec's message without its place, and the place with the keys that msgspec leaves out as `[...]`."""
    found = _AT.fullmatch(message)
    if found is None:
        return message, ()
    where: Where = ()
    for step in _STEP.finditer(found["path"]):
        if step.group(1) is not None:
            where = (*where, step.group(1))
        elif step.group(2) is not None:
            where = (*where, int(step.group(2)))
        else:
            key, value = _failing_key(value, where, wanted, message)
            where = (*where, key)
    return found["what"], where


def _failing_key(value: object, where: Where, wanted: type, message: str) -> tuple[str, object]:
    """The key of the mapping at `where` that alone gives the same message, and the document with that key alone."""
    mapping = at(value, where)
    assert isinstance(mapping, dict)
    for key in mapping:
        alone = _with(value, where, {key: mapping[key]})
        try:
            msgspec.convert(alone, wanted, dec_hook=dec_hook)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return key, alone
    raise AssertionError(f"no key of {where} gives {message}")


def at(value: Any, where: Where) -> Any:
    """The part of a document at a place that exists."""
    for step in where:
        value = value[step]
    return value


def _with(value: Any, where: Where, part: object) -> Any:
    """A copy of `value` whose part at `where` is `part`."""
    if not where:
        return part
    copy = value.copy()
    copy[where[0]] = _with(value[where[0]], where[1:], part)
    return copy


def _mistake(document: Document, value: object, wanted: type, what: str, where: Where) -> ExperimentError:
    if what.startswith("Object contains unknown field `"):
        key = what.removeprefix("Object contains unknown field `").removesuffix("`")
        struct = _struct_at(value, wanted, where)
        return document.mistake((*where, key), f"{shortened(key)} is not known here.", did_you_mean(key, _keys(struct)))
    if what.startswith("Object missing required field `"):
        key = what.removeprefix("Object missing required field `").removesuffix("`")
        return document.mistake(where, f'"{key}" is missing.', _missing_hint(key, value, wanted, where))
    if what.startswith(("Invalid value ", "Invalid enum value ")):
        return _unknown_word(document, value, wanted, where)
    return _wrong_type(document, value, wanted, what, where)


def _unknown_word(document: Document, value: object, wanted: type, where: Where) -> ExperimentError:
    word = at(value, where)
    field = where[-1] if where else ""
    kinds = _kinds_at(value, wanted, where[:-1])
    if field in _NOUNS and kinds:
        sentence, known = f"{shortened(word)} is not {_NOUNS[str(field)]}.", kinds
    else:
        sentence, known = f"{shortened(word)} is not one of the known words.", _words_at(value, wanted, where)
    return document.mistake(where, sentence, did_you_mean(str(word), known))


def _missing_hint(key: str, value: object, wanted: type, where: Where) -> str:
    kinds = _kinds_at(value, wanted, where)
    if key in _NOUNS and kinds:
        return f"Known: {', '.join(sorted(kinds))}."
    struct = _struct_at(value, wanted, where)
    present = at(value, where)
    missing = {field.encode_name for field in struct.fields if field.required} if struct else set()
    extra = [word for word in present if word not in _keys(struct)]
    near = difflib.get_close_matches(key, extra, n=1)
    misspelt = f'"{near[0]}" is not known here; did you mean "{key}"? ' if near else ""
    return f"{misspelt}Needed here: {', '.join(sorted(missing))}."


def _wrong_type(document: Document, value: object, wanted: type, what: str, where: Where) -> ExperimentError:
    part = at(value, where)
    kind = _without_null(_type_at(value, wanted, where))
    if isinstance(kind, inspect.CustomType) and not isinstance(part, str | int | float):
        quantity: type[Quantity] = kind.cls
        return document.mistake(where, f"{_described(part)} is not a quantity.", f"Write it like {quantity.example}.")
    length = _LENGTH.fullmatch(what)
    if length is not None and isinstance(part, list):
        return document.mistake(where, f"a list of {len(part)} is not a list of {length.group(1)}.")
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return document.mistake(where, f"{what}.")
    names = [_PLAIN_NAMES.get(name, name) for name in expected.group(1).split(" | ") if name != "null"]
    return document.mistake(where, f"{_described(part)} is not {' or '.join(names)}.", _type_hint(part, names))


def _described(part: object) -> str:
    match part:
        case None:
            return "an empty value"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return shortened(part)


def _type_hint(part: object, names: list[str]) -> str:
    if names == ["text"] and isinstance(part, bool | int | float):
        return f'Quote it: "{part}".'
    if "a list" in names:
        return "Leave the line out, or write []." if part is None else "Start each item with `- `, or write [ … ]."
    if names == ["true or false"]:
        return "Write true or false."
    return ""


# --- the wanted type at a place -------------------------------------------------------------------------------------


@lru_cache
def _info(wanted: type) -> inspect.Type:
    return inspect.type_info(wanted)


def _type_at(value: Any, wanted: type, where: Where) -> inspect.Type | None:
    kind: inspect.Type | None = _info(wanted)
    for step in where:
        kind = _step(_chosen(kind, value), step)
        value = at(value, (step,))
    return kind


def _step(kind: inspect.Type | None, step: str | int) -> inspect.Type | None:
    match kind:
        case inspect.StructType(fields=fields):
            return next((field.type for field in fields if field.encode_name == step), None)
        case inspect.DictType(value_type=value_type):
            return value_type
        case inspect.VarTupleType(item_type=item_type) | inspect.ListType(item_type=item_type):
            return item_type
        case inspect.TupleType(item_types=item_types) if isinstance(step, int) and step < len(item_types):
            return item_types[step]
        case _:
            return None


def _without_null(kind: inspect.Type | None) -> inspect.Type | None:
    if not isinstance(kind, inspect.UnionType):
        return kind
    others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    return others[0] if len(others) == 1 else kind


def _chosen(kind: inspect.Type | None, value: Any) -> inspect.Type | None:
    """The member of a union that the value's tag names."""
    kind = _without_null(kind)
    if not isinstance(kind, inspect.UnionType):
        return kind
    for each in kind.types:
        if isinstance(each, inspect.StructType) and isinstance(value, dict) and value.get(each.tag_field) == each.tag:
            return each
    return None


def _struct_at(value: object, wanted: type, where: Where) -> inspect.StructType | None:
    kind = _chosen(_type_at(value, wanted, where), at(value, where))
    return kind if isinstance(kind, inspect.StructType) else None


def _keys(struct: inspect.StructType | None) -> list[str]:
    if struct is None:
        return []
    own = [field.encode_name for field in struct.fields]
    return [struct.tag_field, *own] if struct.tag_field else own


def _kinds_at(value: object, wanted: type, where: Where) -> list[str]:
    """The tags of the union at a place."""
    kind = _type_at(value, wanted, where)
    members = kind.types if isinstance(kind, inspect.UnionType) else ()
    return [str(each.tag) for each in members if isinstance(each, inspect.StructType) and each.tag]


def _words_at(value: object, wanted: type, where: Where) -> list[str]:
    """The words of the enumeration at a place."""
    match _without_null(_type_at(value, wanted, where)):
        case inspect.EnumType(cls=words):
            return [str(word.value) for word in words]
        case inspect.LiteralType(values=values):
            return [str(word) for word in values]
        case _:
            return []
