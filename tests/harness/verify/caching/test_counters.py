"""Growth between scrapes, over services, and over a process that was begun anew."""

from dataclasses import replace

import pandas as pd

from harness.verify.caching.counters import counted, growth
from harness.verify.windows import Window
from tests.harness.a_run import a_run

WHOLE = Window(name="", start_s=0.0, end_s=100.0)


def grown(*samples: tuple[str, str, float, float], where: str = "") -> pd.DataFrame:
    frame = pd.DataFrame(samples, columns=["service", "labels", "at_s", "value"]).assign(metric="lookups")
    run = replace(a_run().with_phases(baseline=1.0).built(), metrics=frame)
    return growth(run, "lookups", "result", where=where)


HIT, MISS, OTHER = 'layer="a",result="hit"', 'layer="a",result="miss"', 'layer="b",result="hit"'


def test_nothing_was_scraped() -> None:
    assert counted(grown(), WHOLE, "hit") == 0


def test_the_first_sample_says_nothing_of_what_came_before() -> None:
    assert counted(grown(("one", HIT, 1.0, 1000.0)), WHOLE, "hit") == 0


def test_services_add_up_and_each_counts_from_its_own_first_sample() -> None:
    samples = [("one", HIT, 1.0, 5.0), ("two", HIT, 1.2, 100.0), ("one", HIT, 2.0, 8.0), ("two", HIT, 2.2, 110.0)]

    assert counted(grown(*samples), WHOLE, "hit") == 13


def test_what_a_process_counted_before_it_was_begun_anew_stays_and_what_it_shows_then_is_new() -> None:
    samples = [("one", HIT, at_s, value) for at_s, value in ((1.0, 5.0), (2.0, 9.0), (3.0, 2.0), (4.0, 3.0))]

    assert counted(grown(*samples), WHOLE, "hit") == 4 + 2 + 1


def test_a_counter_that_appears_later_began_with_nothing() -> None:
    """As clients of Prometheus do it: what was never counted is not shown."""
    samples = [("one", MISS, 1.0, 7.0), ("one", MISS, 2.0, 7.0), ("one", HIT, 2.0, 9.0), ("one", HIT, 3.0, 10.0)]

    assert counted(grown(*samples), WHOLE, "hit") == 9 + 1


def test_a_counter_that_was_gone_in_between_was_begun_anew() -> None:
    samples = [("one", HIT, 1.0, 5.0), ("one", MISS, 1.0, 1.0), ("one", MISS, 2.0, 0.0), ("one", HIT, 3.0, 6.0)]

    assert counted(grown(*samples), WHOLE, "hit") == 6


def test_scrapes_that_were_not_made_are_no_gap_in_the_counter() -> None:
    samples = [("one", HIT, 1.0, 5.0), ("two", HIT, 2.0, 1.0), ("one", HIT, 4.0, 9.0)]

    assert counted(grown(*samples), WHOLE, "hit") == 4


def test_only_the_words_and_the_layer_that_are_asked_for() -> None:
    samples = [
        ("one", labels, at_s, value) for labels in (HIT, MISS, OTHER) for at_s, value in ((1.0, 0.0), (2.0, 7.0))
    ]

    assert counted(grown(*samples), WHOLE, "hit") == 14
    assert counted(grown(*samples, where='layer="a"'), WHOLE, "hit") == 7
    assert counted(grown(*samples, where='layer="a"'), WHOLE, "hit", "miss") == 14


def test_only_what_was_counted_within_the_window() -> None:
    samples = [("one", HIT, float(second), 10.0 * second) for second in range(6)]

    assert counted(grown(*samples), Window(name="", start_s=2.0, end_s=4.0), "hit") == 20
