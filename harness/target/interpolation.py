"""Fills variables into a text as Compose 1.29 does: `$VAR`, `${VAR:-default}`, `${VAR:?message}`, `$$`.

Not understood on purpose, because Compose 1.29 does not either: `${VAR:+other}` and variables inside defaults.
"""

import re
from collections.abc import Mapping

_TOKEN = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<rule>:-|-|:\?|\?)(?P<rest>[^${}]*))?\}"
    r"|(?P<wrong>.?))"
)


class InterpolationError(ValueError):
    """A text uses a variable that is not set, or a form that is not understood."""


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """The text with every variable replaced; a colon in the rule makes an empty variable count as not set."""
    return _TOKEN.sub(lambda match: _value(match, text, variables), text)


def _value(match: re.Match[str], text: str, variables: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    if match["wrong"] is not None:
        raise InterpolationError(
            f'"{text}" has a $ that begins no variable: write $$ for a dollar, '
            "or one of $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?message}, ${NAME?message}"
        )
    name, rule, rest = match["bare"] or match["name"], match["rule"], match["rest"]
    value = variables.get(name)
    if value is not None and (value or rule is None or not rule.startswith(":")):
        return value
    match rule:
        case ":-" | "-":
            return rest
        case ":?" | "?":
            raise InterpolationError(rest or f"{name} is not set")
    raise InterpolationError(f"{name} is not set and has no default: write ${{{name}:-default}}")
