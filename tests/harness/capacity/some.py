"""Inputs for tests: the default ones with a few changed, or any that are in range."""

from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import msgspec
from hypothesis import strategies as st

from harness.capacity.inputs import Inputs, Range
from harness.units import Count, Quantity, dec_hook

FIELDS = {
    (section, name): get_args(annotated)
    for section, struct in get_type_hints(Inputs).items()
    for name, annotated in get_type_hints(struct, include_extras=True).items()
}  # (section, name) → its type and its range


def inputs_with(**sections: Mapping[str, object]) -> Inputs:
    """The defaults, but what is said here as it would be in a file."""
    return msgspec.convert(sections, Inputs, dec_hook=dec_hook)


@st.composite
def any_inputs(draw: st.DrawFn) -> Inputs:
    """Each input anywhere in its range."""
    values: dict[str, dict[str, object]] = {section: {} for section, _ in FIELDS}
    for (section, name), (kind, allowed) in FIELDS.items():
        values[section][name] = draw(_in_range(kind, allowed))
    structs = get_type_hints(Inputs)
    return Inputs(**{section: structs[section](**fields) for section, fields in values.items()})


def _in_range(kind: type[Any], allowed: Range) -> st.SearchStrategy[Any]:
    """Numbers with up to three decimals, as people write them."""
    if issubclass(kind, int | Count):
        return st.integers(int(allowed.low), int(allowed.high)).map(kind)
    size = kind.units[kind.base_unit] if issubclass(kind, Quantity) else 1.0
    numbers = st.integers(round(allowed.low / size * 1000), round(allowed.high / size * 1000)).map(lambda n: n / 1000)
    return (
        numbers.map(lambda number: kind.parse(f"{number}{kind.base_unit}")) if issubclass(kind, Quantity) else numbers
    )
