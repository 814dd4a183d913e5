"""Reads YAML nodes that know their line, fills in variables, and refuses what does not fit with file and line.

The usual loaders forget where a value stood; here every complaint says it. No meaning of any word is known here.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import yaml

from harness.errors import ExperimentError
from harness.target.interpolation import InterpolationError, interpolated

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class NodeReader:
    """The nodes of one file; `where` in every method is the path of words to the node, for the complaint."""

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self.path = path
        self.variables = variables

    def root(self) -> yaml.Node:
        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ExperimentError(f"{self.path} cannot be read: {error.strerror}.") from error
        except yaml.YAMLError as error:
            raise ExperimentError(f"{self.path} is not valid YAML: {error}") from error
        if root is None:
            raise ExperimentError(f"{self.path} is empty.")
        return root

    def mapping(self, node: yaml.Node, where: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key → (its node, the value's node), merge keys resolved: what is written here wins, then earlier merges."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, where, "must be a mapping (name: value)")
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources:
                    merged = {**self.mapping(source, f"{where}.<<"), **merged}
            elif not isinstance(key, yaml.ScalarNode):
                raise self.error(key, where, "has a name that is not a text")
            elif key.value in own:
                raise self.error(key, where, f'"{key.value}" is written twice')
            else:
                own[key.value] = (key, value)
        return {**merged, **own}

    def texts(self, node: yaml.Node | None, where: str) -> list[str]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, where, "must be a list")
        return [self.text(item, f"{where}[{index}]") for index, item in enumerate(node.value)]

    def text(self, node: yaml.Node, where: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            raise self.error(node, where, "must be a text or a number")
        try:
            return interpolated(node.value, self.variables)
        except InterpolationError as error:
            raise self.error(node, where, str(error)) from None

    def error(self, node: yaml.Node, where: str, what: str) -> ExperimentError:
        return ExperimentError(f"{self.path}:{node.start_mark.line + 1}, {where}: {what}.")

    def unknown(self, node: yaml.Node, where: str, word: str, known: frozenset[str]) -> ExperimentError:
        near = get_close_matches(word, sorted(known), n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        return self.error(node, where, f'"{word}" is not known.{hint} Known: {", ".join(sorted(known))}')

    def duration(self, node: yaml.Node, where: str) -> float:
        text = self.text(node, where)
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise self.error(node, where, f'"{text}" is not a duration: write it like "1s" or "1m30s"')
        return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))

    def number(self, node: yaml.Node, where: str) -> int:
        text = self.text(node, where)
        if not text.isdecimal():
            raise self.error(node, where, f'"{text}" is not a number')
        return int(text)
