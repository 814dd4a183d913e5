"""An alert beside its rule, scrape by scrape: each way of not following it, and what two clocks may be off."""

import numpy as np
import pytest

from harness.target.promises import AlertPromise
from harness.units import Seconds
from harness.verify.alerts.rule import breaches
from harness.verify.alerts.signal import Signal

SLOW = AlertPromise(alert="api", input="p99", above=300.0, fires_after=Seconds(5), resolves_after=Seconds(5))
AT_ONCE = AlertPromise(alert="level", input="level", above=1.0, fires_after=Seconds(0), resolves_after=Seconds(0))


def _signal(beyond: str, firing: str, promise: AlertPromise = SLOW, *, skipped: tuple[int, ...] = ()) -> Signal:
    """A letter an evaluation, one a second, each seen by two scrapes: # is yes. Nobody saw the `skipped` ones."""
    assert len(beyond) == len(firing)
    numbers = [number for number in range(len(beyond)) if number not in skipped for _ in range(2)]
    at_s = [number + half for number in range(len(beyond)) if number not in skipped for half in (0.1, 0.6)]
    return Signal(
        service="us-east-controller",
        promise=promise,
        at_s=np.array(at_s),
        evaluation=np.array(numbers, dtype=np.float64),
        beyond=np.array([beyond[number] == "#" for number in numbers], dtype=bool),
        firing=np.array([firing[number] == "#" for number in numbers], dtype=bool),
    )


FOLLOWED = [
    ("never beyond", "..........", ".........."),
    ("fires in the sixth second and resolves five after", "..########..........", ".......########....."),
    ("beyond for four seconds: no alert", "..####....####....", ".................."),
    ("a short calm does not resolve it", "######..######........", ".....##############..."),
    ("already so when the record begins", "######......", "##########.."),
    ("a second early, as two clocks may be", "..########......", "......##########"),
    ("a second late", "..########......", "........########"),
]


@pytest.mark.parametrize(("beyond", "firing"), [row[1:] for row in FOLLOWED], ids=[row[0] for row in FOLLOWED])
def test_an_alert_that_follows_its_rule(beyond: str, firing: str) -> None:
    assert breaches(_signal(beyond, firing)) == []


BROKEN = [
    ("never fires", "..##########", "............", "does not fire after 7.5 s beyond its bound"),
    ("fires late", "..############", "...........###", "does not fire after 7.5 s beyond its bound"),
    ("never resolves", "######..........", ".....###########", "still fires after 7.5 s within its bound"),
    ("fires at once", "..######........", "..###########...", "fired after 0.0 s beyond its bound, and not 5s"),
    ("fires for nothing", "..............", ".....####.....", "fired while its input was within the bound"),
    ("fires for a short moment", "..#...........", "...#######....", "fired while its input was within the bound"),
    ("stops too soon", "#########.....", "######........", "stopped firing while its input was beyond the bound"),
    ("resolves at once", "########......", ".....###......", "resolved after 0.0 s within its bound, and not 5s"),
]


@pytest.mark.parametrize(("beyond", "firing", "what"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_an_alert_that_does_not(beyond: str, firing: str, what: str) -> None:
    (breach,) = breaches(_signal(beyond, firing))

    assert (breach.what, breach.alert, breach.service) == (what, "api", "us-east-controller")


def test_a_rule_without_times_is_followed_at_once() -> None:
    assert breaches(_signal("..###..#...", "..###..#...", AT_ONCE)) == []
    assert breaches(_signal("..###..#...", "...###..#..", AT_ONCE)) == []  # a scrape between two evaluations
    assert [breach.what for breach in breaches(_signal("..######......", "..............", AT_ONCE))] == [
        "does not fire after 2.5 s beyond its bound"
    ]
    assert [breach.what for breach in breaches(_signal("..######......", "..############", AT_ONCE))] == [
        "still fires after 2.5 s within its bound"
    ]


def test_what_happened_in_an_evaluation_that_nobody_saw_is_not_held_against_it() -> None:
    """It may have been within its bound just then, and so have waited anew."""
    assert breaches(_signal("..#########.", "............", skipped=(5,))) == []
    assert breaches(_signal("..#########.", "............")) != []


def test_a_stretch_is_told_once() -> None:
    first, second = breaches(_signal("..##########..############", "." * 26))

    assert first.at_s < 12 < second.at_s


def test_without_scrapes_there_is_nothing_to_say() -> None:
    assert breaches(_signal("", "")) == []
