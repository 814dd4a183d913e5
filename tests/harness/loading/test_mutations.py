"""A thousand files gone wrong, by hand or by accident: each ends in a sentence, or is still right."""

import random
import re

import pytest

from harness.errors import ExperimentError
from harness.loader import load_experiment
from harness.loading.yaml_file import MAX_BYTES
from tests.harness.loading.an_experiment import EVERYTHING, SHIPPED, Written


def _mutated(source: str, chance: random.Random) -> bytes:  # noqa: PLR0911, PLR0912 - a table of mutations
    """One of the ways in which a file goes wrong, by hand or by accident."""
    lines = source.splitlines(keepends=True)
    words = list(re.finditer(r"[A-Za-z_]+", source))
    values = list(re.finditer(r"\b\d+(\.\d+)?(ms|min|s|/s|%|KB/s)", source))
    data = bytearray(source.encode())
    match chance.randrange(12):
        case 0:  # a word misspelt
            word = chance.choice(words)
            at = chance.randrange(word.start(), word.end())
            return (source[:at] + chance.choice("abcxyzABC_") + source[at + 1 :]).encode()
        case 1:  # another unit, or none
            value = chance.choice(values)
            unit = chance.choice(["", "s", "ms", "/s", "%", "KB/s", "days", "e400s", "/min", "h"])
            return (
                source[: value.start()] + re.sub(r"[a-zA-Z/%]+$", "", value.group()) + unit + source[value.end() :]
            ).encode()
        case 2:  # another type
            value = chance.choice(values)
            other = chance.choice(
                ["null", "[]", "{}", "true", "[1, {a: b}]", "1e308", "-1", ".inf", "'x'", "2026-11-22", "~"]
            )
            return (source[: value.start()] + other + source[value.end() :]).encode()
        case 3:  # a line lost
            del lines[chance.randrange(len(lines))]
            return "".join(lines).encode()
        case 4:  # a line twice, or in another place
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            return "".join(lines).encode()
        case 5:  # other indentation
            number = chance.randrange(len(lines))
            lines[number] = chance.choice([" ", "  ", "\t", "- "]) + lines[number]
            return "".join(lines).encode()
        case 6:  # bytes changed
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)
        case 7:  # the end lost
            return bytes(data[: chance.randrange(len(data))])
        case 8:  # a character of YAML's own
            at = chance.randrange(len(source))
            return (source[:at] + chance.choice("&*!|>%@`{}[]:,#?-\"'$~<=\\\u2028\ufeff") + source[at:]).encode()
        case 9:  # a piece many times over
            at = chance.randrange(len(source) - 20)
            return (source[:at] + source[at : at + 20] * chance.randrange(2, 2000) + source[at:]).encode()
        case 10:  # something else altogether
            return chance.choice(
                [b"", chance.randbytes(500), b"\0" * 100, b"[" * 3000, b"x" * (MAX_BYTES + 1), b"---\n" * 9]
            )
        case _:  # two words changed places
            first, second = sorted(chance.sample(words, 2), key=lambda word: word.start())
            return (
                source[: first.start()]
                + second.group()
                + source[first.end() : second.start()]
                + first.group()
                + source[second.end() :]
            ).encode()


@pytest.mark.slow
def test_a_thousand_mutations_end_in_a_sentence_or_are_still_valid(written: Written) -> None:
    sources = [EVERYTHING, *(path.read_text() for path in SHIPPED)]
    chance = random.Random(20261122)
    refused = 0

    for _ in range(1000):
        content = _mutated(chance.choice(sources), chance)
        path = written(content)
        try:
            load_experiment(path, short=chance.random() < 0.5)
        except ExperimentError as error:
            refused += 1
            message = str(error)
            assert message.startswith(str(path)) or "target" in message
            assert (
                re.match(r"[^\n]*\.yaml:\d+", message)
                or len(content) == 0
                or re.search(r"is empty|is larger|comments|not UTF-8", message)
            ), message
            assert len(message) < 3000, message

    assert refused > 600
