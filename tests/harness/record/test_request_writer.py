"""Rows come back as they were added, also from a file that was never closed."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.record.request_writer import BATCH_ROWS, RequestWriter, RowWords
from harness.record.rows import REQUESTS


def words(**changes: Any) -> RowWords:
    base = RowWords(
        operation="home",
        route="GET /timeline/home",
        priority=2,
        outcome="ok",
        error="",
        status=200,
        region_asked="us-east",
        region_served="us-east",
        served_by="api-1",
        level=0,
        cache="redis",
        shed_reason="",
        disabled_feature="",
        banner=False,
        features_on="a,b",
        features_off="",
        change="",
        whole=False,
        attempt=1,
    )
    return base._replace(**changes)


def read(path: Path) -> list[dict[str, object]]:
    batches = []
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        assert stream.schema == REQUESTS
        while True:
            try:
                batches.append(stream.read_next_batch())
            except (StopIteration, pa.ArrowInvalid, OSError):
                break
    rows: list[dict[str, object]] = []
    for batch in batches:
        rows.extend(batch.to_pylist())
    return rows


def test_no_rows_make_a_readable_file(tmp_path: Path) -> None:
    writer = RequestWriter(tmp_path / "requests-0.arrow")
    writer.close()

    assert read(tmp_path / "requests-0.arrow") == []
    assert writer.rows == 0


def test_rows_come_back_as_they_were_added(tmp_path: Path) -> None:
    writer = RequestWriter(tmp_path / "requests-0.arrow")
    lost = words(outcome="unknown", error="reset", status=0, level=-1, banner=True, change="add")
    writer.add(words(), (1, 2, 3, 7, 4, -1, 12))
    writer.add(lost, (10**15, -1, 5, 8, -1, 2, -1), ("posts of user-8", "p1", "a,b"))
    writer.close()

    one, other = read(tmp_path / "requests-0.arrow")
    numbers = {"scheduled_ns": 1, "sent_ns": 2, "finished_ns": 3, "user": 7, "session": 4, "count": -1, "age_s": 12}
    assert one == words()._asdict() | numbers | {"object": "", "written": "", "seen": ""}
    assert other["scheduled_ns"] == 10**15
    assert (other["sent_ns"], other["status"], other["level"], other["banner"]) == (-1, 0, -1, True)
    assert (other["outcome"], other["error"], other["written"], other["seen"]) == ("unknown", "reset", "p1", "a,b")
    assert (other["object"], other["change"], other["session"], other["count"]) == ("posts of user-8", "add", -1, 2)


def test_what_was_flushed_is_readable_though_the_file_was_never_closed(tmp_path: Path) -> None:
    writer = RequestWriter(tmp_path / "requests-0.arrow")
    for number in range(5):
        writer.add(words(served_by=f"api-{number}"), (number, number, number, 1, 1, -1, -1))
        writer.flush()
    writer.add(words(), (9, 9, 9, 1, 1, -1, -1))

    assert [row["served_by"] for row in read(tmp_path / "requests-0.arrow")] == [f"api-{n}" for n in range(5)]
    assert writer.waiting == 1
    writer.close()


@pytest.mark.slow
def test_words_may_grow_over_many_batches(tmp_path: Path) -> None:
    writer = RequestWriter(tmp_path / "requests-0.arrow")
    count = 3 * BATCH_ROWS + 5
    for number in range(count):
        numbers = (number, number, number, number, 1, -1, -1)
        writer.add(words(features_on=f"f{number // 100}", status=number % 600), numbers)
        if number % 1000 == 0:
            writer.write_batch()
    writer.close()

    rows = read(tmp_path / "requests-0.arrow")
    assert writer.rows == len(rows) == count
    assert [row["user"] for row in rows] == list(range(count))
    assert [row["features_on"] for row in rows] == [f"f{number // 100}" for number in range(count)]
    assert [row["status"] for row in rows] == [number % 600 for number in range(count)]
