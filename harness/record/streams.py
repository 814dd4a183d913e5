"""Arrow IPC streams of one schema, several files, read as one table; a broken file up to its last whole batch.

Knows nothing of what the columns mean.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

END_MARK = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of a stream that was closed (Arrow columnar format, IPC streaming)


def read_streams(
    files: Iterable[Path],
    schema: pa.Schema,
    *,
    columns: Sequence[str] | None = None,
    later: Mapping[str, object] = {},
) -> tuple[pa.Table, list[str]]:
    """All rows of the files, in the order of their numbers, and a sentence for each file that is damaged.

    Both ways of growing a dictionary within a stream, replaced and delta, are read. `later` are columns that older
    files may lack, with the value that then stands in for them.
    """
    wanted = _wide(schema if columns is None else pa.schema([schema.field(name) for name in columns]))
    damage: list[str] = []
    tables = [wanted.empty_table()]
    for path in sorted(files, key=_number):
        batches, trouble = _batches(path, schema, later)
        if trouble:
            damage.append(trouble)
        if batches:
            table = _completed(pa.Table.from_batches(batches), later)
            tables.append(table.select(wanted.names).cast(wanted))
    return pa.concat_tables(tables).unify_dictionaries(), damage


def _wide(schema: pa.Schema) -> pa.Schema:
    """The schema with 32-bit indices: several files together may know more words than one file can number."""
    wide = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([field.with_type(wide) if pa.types.is_dictionary(field.type) else field for field in schema])


def _completed(table: pa.Table, later: Mapping[str, object]) -> pa.Table:
    for name in later.keys() - set(table.column_names):
        table = table.append_column(name, pa.array([later[name]] * len(table)))
    return table


def _number(path: Path) -> tuple[int, str]:
    digits = re.search(r"(\d+)\.arrow$", path.name)
    return (int(digits.group(1)) if digits else 0, path.name)


def _batches(path: Path, schema: pa.Schema, later: Mapping[str, object]) -> tuple[list[pa.RecordBatch], str]:
    """The whole batches of a file, and what is wrong with it."""
    batches: list[pa.RecordBatch] = []
    try:
        data = path.read_bytes()  # whole, so that a damaged length cannot ask for more memory than there is file
        if not data:
            return [], f"{path.name} is empty: its writer ended before its first batch."
        with pa.ipc.open_stream(data) as stream:
            known = [field for field in schema if field.name not in later or field.name in stream.schema.names]
            if not stream.schema.equals(pa.schema(known)):
                return [], f"{path.name} has other columns than this version writes, so its rows are left out."
            for batch in stream:
                batch.validate(full=True)
                batches.append(batch)
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return batches, f"{path.name} breaks off after {_rows(batches)} rows ({first})."
    if not data.endswith(END_MARK):
        return batches, f"{path.name} has no end mark: its writer died after {_rows(batches)} rows."
    return batches, ""


def _rows(batches: list[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)
