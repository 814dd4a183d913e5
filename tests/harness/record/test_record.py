"""What is written reads back the same; what is cut off or changed is told, and the rest stays readable."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from harness.errors import RecordError
from harness.record import rows
from harness.record.reader import Run, read_run, runs
from harness.record.streams import read_streams
from harness.record.writer import MetricsWriter, RunWriter, Sample, create_run_folder
from tests.harness.a_run import a_run
from tests.harness.record.on_disk import raw_requests, write_run

AT = datetime(2026, 11, 22, 5, 11, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def meant() -> Run:
    """A short run with a fault; every test may read it, none changes it."""
    return a_run().with_phases(warm_up=1, baseline=3, disturbed=4, recovery=2).with_fault(at_s=5, lasts_s=2).built()


@pytest.fixture
def written(meant: Run, tmp_path: Path) -> Path:
    return write_run(meant, tmp_path / "2026-11-22T051108Z-synthetic-0000")


# --- the whole run --------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back(meant: Run, written: Path) -> None:
    run = read_run(written)

    assert run.plan == meant.plan
    assert run.environment == meant.environment
    assert run.events == meant.events
    assert run.sealed
    assert run.damage == ()
    expected = raw_requests(meant.requests.sort_values("scheduled_ns", kind="stable"))
    pd.testing.assert_frame_equal(raw_requests(run.requests), expected, check_dtype=False)
    assert len(run.metrics) == len(meant.metrics)
    assert run.logs.keys() == meant.logs.keys()


def test_frames_carry_run_time_from_the_start_of_the_load(meant: Run, written: Path) -> None:
    run = read_run(written)

    zero_ns = next(event.load_start_ns for event in meant.events if isinstance(event, rows.RunStarted))
    first = run.requests.iloc[0]
    assert first.scheduled_s == pytest.approx((first.scheduled_ns - zero_ns) / 1e9)
    assert first.latency_s == pytest.approx((first.finished_ns - first.scheduled_ns) / 1e9)
    assert first.service_s == pytest.approx((first.finished_ns - first.sent_ns) / 1e9)
    assert run.requests.scheduled_ns.is_monotonic_increasing
    assert run.metrics.at_s.is_monotonic_increasing
    assert run.requests.operation.dtype == "category"


def test_a_request_that_was_never_sent_has_no_service_time(meant: Run, tmp_path: Path) -> None:
    def unsent(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, "sent_ns"] = rows.NOT_SENT_NS
        frame.loc[0, "outcome"] = "not_sent"
        return frame

    altered = a_run().with_phases(baseline=2).altering_requests(unsent).built()
    run = read_run(write_run(altered, tmp_path / "run"))

    never = run.requests[run.requests.outcome == "not_sent"]
    assert len(never) == 1
    assert never.sent_s.isna().all()
    assert never.service_s.isna().all()
    assert never.latency_s.notna().all()


def test_log_lines_get_run_time_and_text_stays_text(written: Path) -> None:
    environment = read_run(written).environment
    zero = read_run(written)
    start_ns = next(event.load_start_ns for event in zero.events if isinstance(event, rows.RunStarted))
    at = environment.clock.unix_of(start_ns + 2_500_000_000) / 1e9
    (written / "logs" / "odd.log").write_bytes(
        msgspec.json.encode({"at": at, "event": "x"})
        + b'\nplain text\n[1, 2]\n{"at": "noon"}\n{"at": 1e400}\n\xff\n\n{"at'
    )

    lines = read_run(written).logs["odd"]

    assert lines[0]["at_s"] == pytest.approx(2.5, abs=1e-6)
    assert lines[1] == {"text": "plain text", "at_s": None}
    assert lines[2] == {"text": "[1, 2]", "at_s": None}
    assert lines[3] == {"at": "noon", "at_s": None}
    assert [line["at_s"] for line in lines[4:]] == [None, None, None]


def test_a_run_whose_load_never_started_is_readable(meant: Run, tmp_path: Path) -> None:
    empty = a_run().with_phases(baseline=2).altering_events(lambda events: []).built()
    folder = write_run(empty, tmp_path / "run")
    for path in folder.glob("*.arrow"):
        path.unlink()

    run = read_run(folder)

    assert "The load never started." in run.damage
    assert len(run.requests) == 0
    assert len(run.metrics) == 0
    assert set(rows.REQUESTS.names) <= set(run.requests.columns)
    assert "latency_s" in run.requests
    assert run.requests.outcome.dtype == "category"


# --- damage ---------------------------------------------------------------------------------------------------------


def test_a_run_that_died_is_readable_up_to_its_last_flush(meant: Run, tmp_path: Path) -> None:
    folder = write_run(meant, tmp_path / "run", seal=False)
    whole = read_run(folder)
    requests = folder / "requests-2.arrow"
    requests.write_bytes(requests.read_bytes()[:-700])
    with (folder / "events.jsonl").open("ab") as events:
        events.write(b'{"event": "run_en')

    run = read_run(folder)

    assert not run.sealed
    assert 0 < len(run.requests) < len(whole.requests)
    assert run.events == meant.events
    assert any("not sealed" in sentence for sentence in run.damage)
    assert any("requests-2.arrow breaks off after" in sentence for sentence in run.damage)
    assert any("events.jsonl breaks off in line" in sentence for sentence in run.damage)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda run: flip(run / "metrics-1.arrow"), "metrics-1.arrow was changed after the seal"),
    "a changed plan": (lambda run: append(run / "plan.json", b" "), "plan.json was changed after the seal"),
    "a lost file": (lambda run: (run / "requests-1.arrow").unlink(), "requests-1.arrow is missing, but was sealed"),
    "an added file": (lambda run: (run / "logs" / "late.log").touch(), "logs/late.log was added after the seal"),
    "a changed event": (lambda run: append(run / "events.jsonl", b"nonsense\n"), "events.jsonl, line"),
    "an empty stream": (lambda run: (run / "requests-1.arrow").write_bytes(b""), "requests-1.arrow is empty"),
    "another file's bytes": (
        lambda run: (run / "requests-1.arrow").write_bytes(b"x" * 99),
        "requests-1.arrow breaks off",
    ),
    "a damaged seal": (lambda run: (run / "SEALED").write_bytes(b"{"), "SEALED: is damaged"),
    "no events": (lambda run: (run / "events.jsonl").unlink(), "events.jsonl is missing"),
}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_told_in_a_sentence(written: Path, damage: Callable[[Path], object], sentence: str) -> None:
    damage(written)

    assert any(sentence in told for told in read_run(written).damage)


def test_undoing_after_the_seal_is_no_damage_but_rewriting_the_journal_is(meant: Run, tmp_path: Path) -> None:
    folder = write_run(meant, tmp_path / "run", seal=False)
    (folder / "journal.jsonl").write_bytes(b'{"state":"ARMED"}\n')
    RunWriter(folder).seal()

    append(folder / "journal.jsonl", b'{"state":"VERIFIED"}\n')
    grown = read_run(folder)
    (folder / "journal.jsonl").write_bytes(b'{"state":"NEVER"}\n{"state":"VERIFIED"}\n')

    assert grown.damage == ()
    assert len(grown.journal) == 2
    assert read_run(folder).damage == ("journal.jsonl was changed after the seal.",)


def test_what_is_made_from_the_record_is_not_sealed(written: Path) -> None:
    for name in ("verdicts.json", "report.html", "junit.xml"):
        (written / name).write_text("made later")

    assert read_run(written).damage == ()


@pytest.mark.parametrize("name", ["plan.json", "environment.json"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is missing"),
        (b"", "is damaged"),
        (b"{}", "format version 0, an older one"),
        (b'{"format_version": 2}', "format version 2, a newer one"),
        (b'{"format_version": 1, "surprise": 3}', "is damaged"),
    ],
)
def test_without_a_readable_plan_or_environment_it_is_no_record(
    written: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is None:
        (written / name).unlink()
    else:
        (written / name).write_bytes(content)

    with pytest.raises(RecordError, match=sentence):
        read_run(written)


def test_a_folder_that_is_not_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such run"):
        read_run(tmp_path / "nowhere")


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_run_folder_is_named_after_its_moment_and_experiment_and_latest_points_at_it(tmp_path: Path) -> None:
    first = create_run_folder(tmp_path / "runs", name="Slow storage!", at=AT)
    second = create_run_folder(tmp_path / "runs", name="", at=AT)

    assert first.name.startswith("2026-11-22T051108Z-slow-storage-")
    assert second.name.startswith("2026-11-22T051108Z-run-")
    assert (tmp_path / "runs" / "latest").resolve() == second.resolve()
    assert os.readlink(tmp_path / "runs" / "latest") == second.name


def test_a_run_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()

    with pytest.raises(RecordError, match="cannot be created"):
        create_run_folder(tmp_path / "runs", name="x", at=AT)


def test_an_event_is_on_disk_at_once(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)

    writer.event(rows.PhaseStarted(at_ns=5, phase="baseline"))

    assert (tmp_path / "events.jsonl").read_bytes() == b'{"event":"phase_started","at_ns":5,"phase":"baseline"}\n'
    writer.close()


def test_the_seal_counts_outcomes_and_names_those_that_did_not_occur(meant: Run, tmp_path: Path) -> None:
    write_run(meant, tmp_path / "run")

    seal = msgspec.json.decode((tmp_path / "run" / "SEALED").read_bytes(), type=rows.Seal)

    assert seal.offered == len(meant.requests) == sum(seal.outcomes.values())
    assert seal.outcomes.keys() == set(rows.Outcome)
    assert {"plan.json", "environment.json", "events.jsonl", "journal.jsonl", "requests-1.arrow"} <= seal.files.keys()
    assert seal.sizes["plan.json"] == (tmp_path / "run" / "plan.json").stat().st_size


def test_samples_reach_the_disk_once_a_second_of_them_is_there(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    writer.append([Sample(0, "api", "up", "", 1.0)])
    assert not (tmp_path / "metrics-1.arrow").exists()

    writer.append([Sample(1_000_000_000, "api", "level", 'a="1"', 2.0)])

    table, damage = read_streams(tmp_path.glob("metrics-*.arrow"), rows.METRICS)
    assert table.to_pylist() == [
        {"at_ns": 0, "service": "api", "metric": "up", "labels": "", "value": 1.0},
        {"at_ns": 1_000_000_000, "service": "api", "metric": "level", "labels": 'a="1"', "value": 2.0},
    ]
    assert damage == ["metrics-1.arrow has no end mark: its writer died after 2 rows."]
    writer.close()
    writer.close()


def test_a_full_dictionary_goes_on_in_the_next_file(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for second in range(3):
        writer.append(Sample(second, "api", "m", f'n="{second}-{number}"', 0.0) for number in range(20_000))
        writer.flush()
    writer.close()

    table, damage = read_streams(tmp_path.glob("metrics-*.arrow"), rows.METRICS)

    assert len(list(tmp_path.glob("metrics-*.arrow"))) == 3
    assert damage == []
    assert table.num_rows == 60_000
    assert table.column("labels")[-1].as_py() == 'n="2-19999"'


# --- streams --------------------------------------------------------------------------------------------------------

WORDS = pa.schema([("word", pa.dictionary(pa.int16(), pa.string()))])


@pytest.mark.parametrize("deltas", [True, False])
def test_growing_and_replaced_dictionaries_are_both_read(tmp_path: Path, deltas: bool) -> None:
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    for number, batches in enumerate([[["a"], ["a", "b"], ["c", "a"]], [["z", "a"]]], start=1):
        with pa.ipc.new_stream(str(tmp_path / f"w-{number}.arrow"), WORDS, options=options) as stream:
            known: list[str] = []
            for words in batches:
                known += [word for word in words if word not in known]
                indices = pa.array([known.index(word) for word in words], pa.int16())
                column = pa.DictionaryArray.from_arrays(indices, pa.array(known))
                stream.write_batch(pa.record_batch([column], schema=WORDS))

    table, damage = read_streams(tmp_path.glob("w-*.arrow"), WORDS)

    assert damage == []
    assert table.column("word").to_pylist() == ["a", "a", "b", "c", "a", "z", "a"]


def test_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    for number in (10, 9, 1):
        with pa.ipc.new_stream(str(tmp_path / f"w-{number}.arrow"), schema) as stream:
            stream.write_batch(pa.record_batch([[number]], schema=schema))

    table, _ = read_streams(tmp_path.glob("w-*.arrow"), schema)

    assert table.column("n").to_pylist() == [1, 9, 10]


def test_a_file_with_other_columns_is_left_out_and_told(tmp_path: Path) -> None:
    with pa.ipc.new_stream(str(tmp_path / "w-1.arrow"), pa.schema([("other", pa.int64())])):
        pass

    table, damage = read_streams(tmp_path.glob("w-*.arrow"), WORDS)

    assert table.num_rows == 0
    assert "other columns" in damage[0]


def test_no_files_are_no_rows(tmp_path: Path) -> None:
    table, damage = read_streams([], rows.REQUESTS, columns=["outcome"])

    assert (table.num_rows, table.column_names, damage) == (0, ["outcome"], [])


# --- the list of runs -----------------------------------------------------------------------------------------------


def test_runs_are_listed_with_their_outcome_and_broken_ones_with_their_problem(meant: Run, tmp_path: Path) -> None:
    good = write_run(meant, tmp_path / "2026-11-22T051108Z-a-0000")
    (good / "verdicts.json").write_bytes(b'{"outcome": "pass", "more": 1}')
    write_run(meant, tmp_path / "2026-11-23T051108Z-b-0000", seal=False)
    (tmp_path / "2026-11-24T051108Z-c-0000").mkdir()
    (tmp_path / "latest").symlink_to(good.name)
    (tmp_path / "a file").touch()

    listed = runs(tmp_path)

    assert [(run.sealed, run.outcome, run.problem) for run in listed] == [
        (True, "pass", ""),
        (False, "", ""),
        (False, "", "plan.json: No such file or directory"),
    ]
    assert listed[0].title == "A synthetic run"
    assert runs(tmp_path / "nowhere") == []
