"""YAML text to plain values, with the line of every key and item.

Only the part of YAML that a reader sees at a glance is accepted: one document of mappings, lists, text, numbers,
true/false and null. Anchors, tags, duplicate keys, dates and sexagesimal numbers are refused or stay text, because each
of them makes a file mean something other than it shows. Knows nothing of experiments.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.errors import ExperimentError

Where = tuple[str | int, ...]  # ("faults", 0, "link"), shown as $.faults[0].link

MAX_BYTES = 1_048_576  # far above any file that a person writes; keeps a wrong file from filling the memory
MAX_DEPTH = 32  # an experiment needs 4; deeper nesting is a mistake or an attack on the stack
MAX_INTEGER_DIGITS = 18  # every such number fits in 64 bits

_EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast, where it was built
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file's text and value; `lines` has the line (from 1) of every key and list item."""

    path: Path
    text: str
    value: object
    lines: dict[Where, int]

    def mistake(self, where: Where, sentence: str, hint: str = "") -> ExperimentError:
        """The error that names file, line and place, says what is wrong, and then what to do."""
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), 1)
        return mistake_in(self.path, sentence, line=line, where=where, hint=hint)


def mistake_in(
    path: Path, sentence: str, *, line: int | None = None, where: Where | None = None, hint: str = ""
) -> ExperimentError:
    place = f"{path}" if line is None else f"{path}:{line}"
    if where is not None:
        place += f", {shown(where)}"
    return ExperimentError(f"{place}: {sentence}" + (f"\n{hint}" if hint else ""))


def shown(where: Where) -> str:
    """The place as a JSON path."""
    parts = ["$"]
    for step in where:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step):
            parts.append(f".{step}")
        else:
            parts.append(f'["{step[:60]}"]')
    return "".join(parts)


def read_document(path: Path) -> Document:
    """Read and parse a file; ExperimentError for all that can be wrong with it."""
    return parsed(path, _text_of(path))


def parsed(path: Path, text: str) -> Document:
    """Parse text that stands in `path`, or that came from elsewhere under that name."""
    lines: dict[Where, int] = {}
    try:
        events = _Events(path, yaml.parse(text, Loader=_EVENTS))
        value = _one_document(events, lines)
    except yaml.MarkedYAMLError as error:
        raise _syntax_mistake(path, text, error) from error
    except yaml.YAMLError as error:
        raise mistake_in(path, f"this is not YAML: {error}".replace("\n", " ")) from error
    return Document(path=path, text=text, value=value, lines=lines)


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "there is no such file"
            raise mistake_in(path, f"{what}.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise mistake_in(path, f"cannot be read: {error}.") from error
    if len(data) > MAX_BYTES:
        raise mistake_in(path, f"is larger than {MAX_BYTES} bytes; this is not an experiment file.")
    if b"\0" in data:
        raise mistake_in(path, "is a binary file, not YAML text.", line=data[: data.index(b"\0")].count(b"\n") + 1)
    return _decoded(path, data)


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        raise mistake_in(path, f"byte 0x{byte:02x} is not UTF-8.", line=line, hint="Save the file as UTF-8.") from error
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        raise mistake_in(path, f"the control character {bad.group()!r} does not belong in YAML.", line=line)
    if not text.strip():
        hint = "An experiment starts with `title:`, a target with `name:`, a capacity plan's inputs with `demand:`."
        raise mistake_in(path, "is empty.", hint=hint)
    return text


def _syntax_mistake(path: Path, text: str, error: yaml.MarkedYAMLError) -> ExperimentError:
    mark = error.problem_mark or error.context_mark
    line, column = (None, 0) if mark is None else (min(mark.line, text.count("\n")) + 1, mark.column)
    row = "" if line is None else text.split("\n")[line - 1]
    character = row[column : column + 1]
    if "cannot start any token" in (error.problem or ""):
        if "\t" in row[: len(row) - len(row.lstrip())]:
            return mistake_in(path, "a tab is used as indentation.", line=line, hint="YAML indents with spaces only.")
        hint = f'Write text that starts with "{character}" in quotes.' if character.strip() else ""
        return mistake_in(path, f'"{character}" cannot start a value.', line=line, hint=hint)
    what = ", ".join(part for part in (error.context, error.problem) if part)
    hint = 'Within { } and [ ] write "${name}" in quotes.' if "${" in row else ""
    return mistake_in(path, f"this is not YAML: {what}.", line=line, hint=hint)


class _Events:
    """The parser's events one by one, with the file's name for errors."""

    def __init__(self, path: Path, events: Iterable[yaml.Event]) -> None:
        self.path = path
        self._events: Iterator[yaml.Event] = iter(events)

    def next(self) -> yaml.Event:
        return next(self._events)

    def refuse(self, event: yaml.Event, sentence: str, hint: str = "") -> ExperimentError:
        return mistake_in(self.path, sentence, line=_line_of(event), hint=hint)


def _one_document(events: _Events, lines: dict[Where, int]) -> object:
    events.next()  # the stream's start
    if not isinstance(events.next(), yaml.DocumentStartEvent):
        raise mistake_in(events.path, "holds nothing but comments.")
    value = _value(events, events.next(), (), lines)
    events.next()  # the document's end
    after = events.next()
    if isinstance(after, yaml.DocumentStartEvent):
        raise events.refuse(after, "a second document starts here; a file holds one.", "Remove the line `---`.")
    return value


def _value(events: _Events, event: yaml.Event, where: Where, lines: dict[Where, int]) -> object:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        hint = "Use `variables:` and ${name} instead."
        raise events.refuse(event, "anchors and aliases (& and *) are not accepted.", hint)
    tag = getattr(event, "tag", None)
    if tag:
        raise events.refuse(event, f"tags ({tag}) are not accepted.", "Quote the value if it is text.")
    if len(where) > MAX_DEPTH:
        raise events.refuse(event, f"is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(events, event)
    if isinstance(event, yaml.SequenceStartEvent):
        return _list(events, where, lines)
    return _mapping(events, where, lines)


def _line_of(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


def _list(events: _Events, where: Where, lines: dict[Where, int]) -> list[object]:
    items: list[object] = []
    while not isinstance(event := events.next(), yaml.SequenceEndEvent):
        place = (*where, len(items))
        lines[place] = _line_of(event)
        items.append(_value(events, event, place, lines))
    return items


def _mapping(events: _Events, where: Where, lines: dict[Where, int]) -> dict[str, object]:
    """Keys are always text, as written: `1.5: …` has the key "1.5"."""
    mapping: dict[str, object] = {}
    while not isinstance(event := events.next(), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
            raise events.refuse(event, "a key must be a plain word.")
        key = event.value
        if key in mapping:
            first = lines[(*where, key)]
            raise events.refuse(event, f'"{key[:60]}" is written twice (first on line {first}).', "Keep one of them.")
        place = (*where, key)
        lines[place] = _line_of(event)
        mapping[key] = _value(events, events.next(), place, lines)
    return mapping


def _scalar(events: _Events, event: yaml.ScalarEvent) -> object:
    text = event.value
    bad = _UNPRINTABLE.search(text)  # an escape such as "\0" or a lone surrogate
    if bad is not None:
        raise events.refuse(event, f"the control character {bad.group()!r} does not belong in a value.")
    if not event.implicit[0]:  # quoted or a block: text
        return text
    try:
        return plain(text)
    except OverflowError as error:
        raise events.refuse(event, f"{error}.", "Quote it if it is text.") from error


def plain(text: str) -> object:
    """What an unquoted word means: null, true/false, a number, else text. OverflowError for numbers out of range."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_INTEGER_DIGITS:
            raise OverflowError(f"{text[:20]}… is too large a number")
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise OverflowError(f"{text[:20]} is too large a number")
        return value
    return text
