"""Writes the rows of scheduled requests: one Arrow IPC stream for each load shard, readable up to its last flush.

It runs beside the load it records, so a row costs a few appends to typed arrays; the words of a row are one code for
their whole combination, taken apart only when a batch is written. Words repeat, so the dictionary grows by deltas.
"""

from array import array
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from harness.record.rows import REQUESTS


class RowWords(NamedTuple):
    """All columns of a row that repeat from request to request; field names are column names."""

    operation: str
    route: str
    priority: int
    outcome: str
    error: str
    status: int
    region_asked: str
    region_served: str
    served_by: str
    level: int
    cache: str
    shed_reason: str
    disabled_feature: str
    banner: bool
    features_on: str
    features_off: str
    change: str
    whole: bool
    attempt: int


NUMBERS = ("scheduled_ns", "sent_ns", "finished_ns", "user", "session", "count", "age_s")
TEXTS = ("object", "written", "seen")
NO_TEXTS = ("", "", "")
_OWN_COLUMNS = NUMBERS + TEXTS
assert set(RowWords._fields) | set(_OWN_COLUMNS) == set(REQUESTS.names)

BATCH_ROWS = 1024  # about a millisecond of conversion: more at once would delay requests that are due


class RequestWriter:
    """Appends rows; `flush` writes what has gathered. `rows` counts all that were added."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._file = pa.OSFile(str(path), "wb")
        self._stream = pa.ipc.new_stream(
            self._file, REQUESTS, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        )
        self._codes: dict[tuple[Any, ...], int] = {}
        self._columns = {name: _column(name) for name in RowWords._fields}
        self._numbers = array("q")  # all NUMBERS of a row, then those of the next
        self._row_codes = array("i")
        self._texts: list[tuple[str, str, str]] = []

    @property
    def waiting(self) -> int:
        """Rows added and not yet written."""
        return len(self._row_codes)

    def add(
        self,
        words: tuple[Any, ...],
        numbers: tuple[int, int, int, int, int, int, int],
        texts: tuple[str, str, str] = NO_TEXTS,
    ) -> None:
        """One row. `words` is a `RowWords`, or for speed a plain tuple in the order of its fields; `numbers` are in the
        order of NUMBERS, `texts` in that of TEXTS."""
        code = self._codes.get(words)
        if code is None:
            code = self._learn(words)
        self._numbers.extend(numbers)
        self._row_codes.append(code)
        self._texts.append(texts)
        self.rows += 1

    def write_batch(self) -> int:
        """Write up to BATCH_ROWS waiting rows, return how many are left; so that others may run in between."""
        count = min(self.waiting, BATCH_ROWS)
        if count:
            self._stream.write_batch(self._batch(count))
            del self._numbers[: len(NUMBERS) * count], self._row_codes[:count], self._texts[:count]
        return self.waiting

    def flush(self) -> None:
        """Write everything that waits."""
        while self.write_batch():
            pass

    def close(self) -> None:
        self.flush()
        self._stream.close()
        self._file.close()

    def _learn(self, words: tuple[Any, ...]) -> int:
        code = self._codes[words] = len(self._codes)
        for column, word in zip(self._columns.values(), words, strict=True):
            column.learn(word)
        return code

    def _batch(self, count: int) -> pa.RecordBatch:
        numbers = np.array(self._numbers[: len(NUMBERS) * count], dtype=np.int64).reshape(count, len(NUMBERS))
        codes = np.array(self._row_codes[:count], dtype=np.int32)
        made = {name: column.taken(codes) for name, column in self._columns.items()}
        for place, name in enumerate(NUMBERS):
            made[name] = pa.array(np.ascontiguousarray(numbers[:, place]))
        for name, texts in zip(TEXTS, zip(*self._texts[:count], strict=True), strict=True):
            made[name] = pa.array(texts, pa.string())
        return pa.RecordBatch.from_arrays([made[name] for name in REQUESTS.names], schema=REQUESTS)


class _PlainColumn:
    """Numbers and booleans: the value for each code."""

    def __init__(self, kind: pa.DataType) -> None:
        self._values = array("q")
        self._kind = kind

    def learn(self, value: int) -> None:
        self._values.append(value)

    def taken(self, codes: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
        values = np.array(self._values, dtype=bool if pa.types.is_boolean(self._kind) else self._kind.to_pandas_dtype())
        return pa.array(values[codes], self._kind)


class _WordColumn:
    """Words: for each code the word's place in a dictionary that only ever grows at its end, as deltas need it."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._place_of_code = array("h")
        self._dictionary: pa.Array = pa.array([], pa.string())

    def learn(self, word: str) -> None:
        self._place_of_code.append(self._places.setdefault(word, len(self._places)))

    def taken(self, codes: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
        if len(self._dictionary) < len(self._places):
            self._dictionary = pa.array([str(word) for word in self._places], pa.string())
        places = np.array(self._place_of_code, dtype=np.int16)[codes]
        return pa.DictionaryArray.from_arrays(places, self._dictionary)


def _column(name: str) -> _PlainColumn | _WordColumn:
    kind = REQUESTS.field(name).type
    return _WordColumn() if pa.types.is_dictionary(kind) else _PlainColumn(kind)
