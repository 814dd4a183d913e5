"""Writes a synthetic run to disk with the product's own writers, so that reading can be tested against it."""

from pathlib import Path

import msgspec
import pandas as pd

from harness.record import rows
from harness.record.reader import Run
from harness.record.request_writer import NUMBERS, TEXTS, RequestWriter, RowWords
from harness.record.writer import RunWriter, Sample


def write_run(run: Run, folder: Path, *, seal: bool = True) -> Path:
    """The run's evidence under `folder`, in two request files, sealed unless told otherwise."""
    folder.mkdir(parents=True)
    writer = RunWriter(folder)
    writer.write_plan(run.plan)
    writer.write_environment(run.environment)
    for event in run.events:
        writer.event(event)
    columns = ["at_ns", "service", "metric", "labels", "value"]
    for _, scrape in run.metrics.sort_values("at_ns", kind="stable")[columns].groupby("at_ns"):
        writer.metrics(Sample(*row) for row in scrape.itertuples(index=False))
    for shard in (1, 2):
        write_requests(run.requests[shard - 1 :: 2], folder / f"requests-{shard}.arrow")
    write_lines(folder / "journal.jsonl", run.journal)
    for service, lines in run.logs.items():
        (folder / "logs").mkdir(exist_ok=True)
        write_lines(folder / "logs" / f"{service}.log", lines)
    if seal:
        writer.seal()
    else:
        writer.close()
    return folder


def write_requests(frame: pd.DataFrame, path: Path) -> None:
    writer = RequestWriter(path)
    words = frame[list(RowWords._fields)].itertuples(index=False, name=None)
    numbers = frame[list(NUMBERS)].itertuples(index=False, name=None)
    texts = frame[list(TEXTS)].itertuples(index=False, name=None)
    for number, row in enumerate(zip(words, numbers, texts, strict=True)):
        writer.add(*row)
        if number % 100 == 99:
            writer.flush()
    writer.close()


def write_lines(path: Path, lines: tuple[dict[str, object], ...]) -> None:
    without_run_time = [{key: value for key, value in line.items() if key != "at_s"} for line in lines]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in without_run_time))


def raw_requests(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `rows.REQUESTS` alone, words as plain text."""
    names: list[str] = rows.REQUESTS.names
    raw = frame[names].reset_index(drop=True)
    words = [field.name for field in rows.REQUESTS if str(field.type).startswith(("dictionary", "string"))]
    return raw.astype(dict.fromkeys(words, str))
