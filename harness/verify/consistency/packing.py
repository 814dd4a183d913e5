"""Rows of several small integers as one integer each, because sorting and searching those is ten times faster."""

from collections.abc import Iterator

import numpy as np

from harness.verify.consistency.history import Bools, Ints

WORD_BITS = 63
SORTED_AT_ONCE = 500_000  # rows
AT_ONCE = 4_000_000  # rows that are spread out together, to bound memory


def bits_for(size: int) -> int:
    """How many bits the codes below `size` need."""
    return max(1, int(size).bit_length())


def packed(major: Ints, minor: Ints, minor_size: int) -> Ints:
    """Sorts like the pairs; `minor` may be anything from 0 to its size, both included."""
    result: Ints = (major << bits_for(minor_size)) | minor
    return result


def unpacked(word: Ints, minor_size: int) -> tuple[Ints, Ints]:
    """The pairs that were packed."""
    bits = bits_for(minor_size)
    return word >> bits, word & ((1 << bits) - 1)


def sorted_rows(*columns: tuple[Ints, int]) -> tuple[Ints, ...]:
    """The rows in order, each column given with the size of its codes."""
    widths = [bits_for(size) for _, size in columns]
    if sum(widths) > WORD_BITS:
        line = np.lexsort([column for column, _ in reversed(columns)])
        return tuple(column[line] for column, _ in columns)
    return _columns_of(_sorted_words(columns, widths), widths)


def first_rows(*columns: tuple[Ints, int], at_once: int = SORTED_AT_ONCE) -> tuple[Ints, ...]:
    """Of the rows that differ in the last column only, the one where it is least; in order.

    Some rows at a time: what is sorted then fits into the processor's cache, and few of millions of rows stay.
    """
    widths = [bits_for(size) for _, size in columns]
    if sum(widths) > WORD_BITS:
        rows = sorted_rows(*columns)
        return tuple(column[starts(*rows[:-1])] for column in rows)
    parts = []
    for start in range(0, max(1, len(columns[0][0])), at_once):
        some = tuple((column[start : start + at_once], size) for column, size in columns)
        parts.append(_first_words(_sorted_words(some, widths), widths[-1]))
    word = np.concatenate(parts)
    word.sort()
    return _columns_of(_first_words(word, widths[-1]), widths)


def _first_words(word: Ints, width: int) -> Ints:
    """Of the words that differ in their last bits only, the least."""
    return word[starts(word >> width)]


def _sorted_words(columns: tuple[tuple[Ints, int], ...], widths: list[int]) -> Ints:
    word = columns[0][0].astype(np.int64)
    for (column, _), width in zip(columns[1:], widths[1:], strict=True):
        word <<= width
        word |= column
    word.sort()
    return word


def _columns_of(word: Ints, widths: list[int]) -> tuple[Ints, ...]:
    result: list[Ints] = []
    for width in reversed(widths[1:]):
        result.append(word & ((1 << width) - 1))
        word = word >> width
    return (word, *reversed(result))


def starts(*columns: Ints) -> Bools:
    """Where, in sorted rows, a row differs from the one before it."""
    first = np.ones(len(columns[0]), dtype=bool)
    first[1:] = False
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return first


def spread(low: Ints, high: Ints, *, at_once: int = AT_ONCE) -> Iterator[tuple[Ints, Ints]]:
    """Every place from `low` to before `high` of each row, beside the row's number; some at a time, by whole rows."""
    count = np.maximum(high - low, 0)
    end = np.cumsum(count)
    first = 0
    while first < len(count):
        done = int(end[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(end, done + at_once, side="right")))
        rows = np.repeat(np.arange(first, last), count[first:last])
        before = end[first:last] - count[first:last] - done
        yield rows, low[rows] + np.arange(len(rows)) - before[rows - first]
        first = last


def find(ordered: Ints, wanted: Ints) -> tuple[Ints, Bools]:
    """Where each of the wanted is among the ordered (of which there are some), and whether it is there at all."""
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    there: Bools = ordered[place] == wanted
    return place, there


def contains(ordered: Ints, wanted: Ints) -> Bools:
    """Which of the wanted are among the ordered."""
    return find(ordered, wanted)[1] if len(ordered) else np.zeros(len(wanted), dtype=bool)
