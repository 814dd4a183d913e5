"""What of a record becomes an operation, and as what."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from harness.record import rows
from harness.verify.consistency.answers import answers_of
from harness.verify.consistency.history import Ending, Kind, Operation, misfits
from harness.verify.consistency.recorded import (
    digest_samples,
    heartbeat_samples,
    history_of,
    key_answers,
    last_change_s,
)
from harness.verify.consistency.sound import SOUND
from tests.harness.verify.consistency.a_history import added, counted, deleted, finally_saw, saw, wrote
from tests.harness.verify.consistency.a_recorded_history import recorded


def told(*operations: Operation, **columns: Mapping[int, object]) -> list[Operation]:
    history = history_of(recorded(*operations, columns=columns))
    return [history.operation(number) for number in range(len(history))]


def rounded(operation: Operation) -> Operation:
    times = {name: round(getattr(operation, name), 6) for name in ("invoked_s", "completed_s")}
    return replace(operation, **times)


def test_a_record_of_a_history_is_that_history_again() -> None:
    again = {rounded(each) for each in told(*SOUND.values())}

    assert len(again) == len(SOUND)
    assert again == {rounded(each) for each in SOUND.values()}


def test_a_record_without_requests_is_a_history_without_operations() -> None:
    assert told() == []
    assert last_change_s(recorded()) == 0.0


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("ok", Ending.OK),
        ("unknown", Ending.INFO),
        ("failed", Ending.FAIL),
        ("shed", Ending.FAIL),
        ("disabled", Ending.FAIL),
        ("not_sent", Ending.FAIL),
    ],
)
def test_how_a_write_ended_says_whether_it_may_take_effect(outcome: str, ending: Ending) -> None:
    (write,) = told(wrote(1, "p1", at_s=1.0), outcome={0: outcome})

    assert (write.kind, write.id, write.ending) == (Kind.WRITE, "p1", ending)


def test_reads_that_were_not_answered_and_requests_about_nothing_are_left_out() -> None:
    found = told(
        saw(1, "p1", at_s=1.0, ending=Ending.FAIL), saw(1, at_s=2.0, object=""), wrote(1, "p1", at_s=3.0, object="")
    )

    assert found == []


def test_what_was_never_sent_is_of_no_session_and_counts_from_when_it_was_due() -> None:
    unsent: dict[str, dict[int, object]] = {
        "outcome": {0: "not_sent", 1: "not_sent"},
        "session": dict.fromkeys((0, 1), rows.NO_SESSION),
        "sent_ns": dict.fromkeys((0, 1), rows.NOT_SENT_NS),
    }
    history = history_of(
        recorded(wrote(0, "p1", at_s=1.0), wrote(0, "p2", at_s=1.0), wrote(5, "p3", at_s=1.0), columns=unsent)
    )

    assert len(history.sessions) == 3
    assert history.invoked_s.tolist() == pytest.approx([0.999, 0.999, 1.0])
    assert len(misfits(history)) == 0


def test_a_delete_that_finds_nothing_may_be_the_second_try_of_one_that_did() -> None:
    again: dict[str, dict[int, object]] = {"outcome": {1: "failed"}, "status": {1: 404}}
    history = history_of(
        recorded(wrote(1, "p1", at_s=1.0), deleted(1, "p1", at_s=2.0), saw(1, at_s=3.0), columns=again)
    )

    delete = history.operation(1)
    assert (delete.kind, delete.ending) == (Kind.DELETE, Ending.INFO)
    assert delete.session != 1
    assert len(misfits(history)) == 0


def test_a_delete_that_was_refused_did_not_happen() -> None:
    refused = told(wrote(1, "p1", at_s=1.0), deleted(1, "p1", at_s=2.0), outcome={1: "failed"}, status={1: 403})

    assert (refused[1].ending, refused[1].session) == (Ending.FAIL, 1)


def test_counters_are_raised_and_read() -> None:
    like, read = told(added(1, 1.0, at_s=1.0), counted(2, 5.0, at_s=2.0, final=True))

    assert (like.kind, like.amount) == (Kind.INCREMENT, 1.0)
    assert (read.kind, read.amount, read.final, read.seen) == (Kind.READ, 5.0, True, ())


def test_a_region_that_the_target_does_not_have_is_not_known() -> None:
    (write,) = told(wrote(1, "p1", at_s=1.0, region="atlantis"))

    assert (write.asked, write.served) == ("", "")


def test_reads_of_the_last_phase_are_the_final_ones() -> None:
    first, last = told(saw(1, "p1", at_s=1.0), finally_saw("europe", "p1"))

    assert (first.final, last.final) == (False, True)


# --- pages ----------------------------------------------------------------------------------------------------------


def absent(*operations: Operation) -> list[str]:
    """What full pages leave out although it must be newer than what they show."""
    answers = answers_of(history_of(recorded(*operations)))
    return [answers.items.name[item] for item in answers.absent.item]


def test_a_full_page_owes_what_was_sent_after_something_on_it_was_answered() -> None:
    page = saw(9, "p2", at_s=5.0, whole=False)

    assert absent(wrote(1, "p1", at_s=1.0), wrote(2, "p2", at_s=2.0), wrote(3, "p3", at_s=3.0), page) == ["p3"]


def test_of_two_writes_at_the_same_time_a_full_page_may_leave_out_either() -> None:
    beside = wrote(1, "p1", at_s=1.0, lasts_s=1.0), wrote(2, "p2", at_s=1.5, lasts_s=0.1)

    for shown in ("p1", "p2"):
        assert absent(*beside, saw(9, shown, at_s=5.0, whole=False)) == []


def test_a_write_of_unknown_fate_on_a_page_says_nothing_of_how_far_it_reaches() -> None:
    doubtful = wrote(1, "p1", at_s=1.0, ending=Ending.INFO)

    assert absent(doubtful, wrote(2, "p2", at_s=3.0), saw(9, "p1", at_s=5.0, whole=False)) == []


# --- metrics --------------------------------------------------------------------------------------------------------


def test_tables_and_links_are_read_from_the_metrics_that_the_target_names() -> None:
    link = 'link="us-east.postgres->europe.postgres"'
    run = recorded(
        metrics=[
            (1.0, "europe-worker", "table_rows", 'table="posts"', 7.0),
            (1.0, "europe-worker", "table_digest", 'table="posts"', float(2**53 - 1)),
            (1.0, "nobody", "table_digest", 'table="posts"', 1.0),
            (1.5, "europe-worker", "replication_lag_seconds", link, 0.25),
            (2.0, "europe-worker", "replication_lag_seconds", link, math.nan),
        ]
    )

    (sample,) = digest_samples(run)
    assert (sample.region, sample.table, sample.rows, sample.digest) == ("europe", "posts", 7, 2**53 - 1)
    beats = heartbeat_samples(run)
    assert [(each.source, each.target, each.age_s) for each in beats] == [
        ("us-east", "europe", 0.25),
        ("us-east", "europe", np.inf),
    ]


def sampled(at_s: float, service: str, instant: float, **answers: float) -> list[tuple[float, str, str, str, float]]:
    """One scrape of what a service tells of a sample of keys, and of which instant."""
    samples = [(at_s, service, "key_digest", f'keys="{key}"', value) for key, value in answers.items()]
    return [*samples, (at_s, service, "key_digest_at_seconds", "", instant)]


def test_answers_are_of_the_instant_that_the_services_say_dated_to_its_first_scrape() -> None:
    frame = key_answers(
        recorded(
            metrics=[
                *sampled(0.9, "europe-worker", 0.0, a=0.0),  # has told of none yet
                *sampled(1.0, "europe-worker", 1000.0, a=5.0, b=6.0),
                *sampled(1.4, "us-east-worker", 1000.0, a=5.0),
                *sampled(1.5, "europe-worker", 1000.0, a=5.0, b=6.0),
                *sampled(1.6, "nobody", 1000.0, a=9.0),
                *sampled(1.9, "us-east-worker", 1001.0, a=7.0),
            ]
        )
    )

    assert [tuple(row) for row in frame.drop_duplicates().itertuples(index=False)] == [
        (1.0, "europe", "a", 5.0),
        (1.0, "europe", "b", 6.0),
        (1.0, "us-east", "a", 5.0),
        (1.9, "us-east", "a", 7.0),
    ]


def test_a_target_that_tells_of_no_keys_gives_no_answers() -> None:
    frame = key_answers(recorded(metrics=[(1.0, "europe-worker", "table_rows", 'table="posts"', 7.0)]))

    assert (len(frame), list(frame.columns)) == (0, ["at_s", "region", "key", "answer"])


def test_the_last_change_is_the_end_of_the_last_request_that_may_have_changed_something() -> None:
    run = recorded(
        wrote(1, "p1", at_s=1.0),
        wrote(2, "p2", at_s=5.0, ending=Ending.INFO),
        wrote(3, "p3", at_s=9.0, ending=Ending.FAIL),
    )

    assert last_change_s(run) == pytest.approx(5.1)
