"""Users who stay where they are, and the ways in which they do not."""

from dataclasses import replace

import pandas as pd
import pytest

from harness.experiment.expectations.routing import RoutingCheck
from harness.record.reader import Run
from harness.units import Ratio
from harness.verify.routing import check_routing
from harness.verify.verdict import Outcome, Verdict
from tests.harness.verify.a_failover import AWAY, REGIONS, Routing, a_failover
from tests.harness.verify.a_full_run import figure, guilty

CHECK = RoutingCheck(reads_elsewhere=Ratio(0.02))
MOVES = "times that a region lost users in baseline"


@pytest.fixture(scope="module")
def sound() -> Run:
    """us-east is lost after the baseline, which is nothing to this check."""
    return a_failover().built()


def served_by(run: Run, region: str, *, share: float, operation: str = "home", of: str = "europe") -> Run:
    """So many of the requests of that kind were answered there."""
    frame = run.requests
    mine = (frame["region_asked"] == of) & (frame["operation"] == operation) & (frame["outcome"] == "ok")
    chosen = frame.index[mine][:: round(1 / share)]
    served = frame["region_served"].astype(object)
    served.loc[chosen] = region
    return replace(run, requests=frame.assign(region_served=served))


def lost_users(*routing: Routing) -> Verdict:
    return check_routing(a_failover().routed(*routing).built(), CHECK)


def test_users_who_are_served_where_they_are(sound: Run) -> None:
    verdict = check_routing(sound, CHECK)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.PASS, []), verdict.sentence
    assert verdict.sentence == "Users of 4 regions were served where they were."
    assert figure(verdict, MOVES).samples == 4
    assert all(figure(verdict, f"reads of {region}").samples > 100 for region in REGIONS)


def test_the_same_run_while_a_region_is_lost(sound: Run) -> None:
    verdict = check_routing(sound, RoutingCheck(phase="disturbed", moves_at_most=1, reads_elsewhere=Ratio(0.02)))

    assert guilty(verdict) == ["reads of us-east answered elsewhere in disturbed"]
    assert figure(verdict, "times that a region lost users").value == 1
    told = [item.sentence for item in verdict.evidence]
    assert told[0] == "From here on 0 % of the users of us-east were sent to it, as us-east was taken for lost."
    assert "who asked for us-east, was answered by us-west." in told[1]


@pytest.mark.slow
@pytest.mark.parametrize(("share", "healthy"), [(0.0, False), (0.5, True)])
def test_each_time_that_a_region_loses_users_counts_whatever_the_reason(share: float, healthy: bool) -> None:
    verdict = lost_users(replace(AWAY, at_s=10.0, share=share, healthy=healthy), Routing(12.0, 1.0, writes=True))

    assert MOVES in guilty(verdict)
    assert figure(verdict, MOVES).value == 1
    assert figure(verdict, MOVES).reason == "the first was us-east at T+10.0 s"


@pytest.mark.slow
@pytest.mark.parametrize("at_s", [2.0, 26.0])
def test_what_comes_before_and_after_the_phase_does_not(at_s: float) -> None:
    assert lost_users(replace(AWAY, at_s=at_s)).figures[0].value == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "outcome"), [(0.01, Outcome.PASS), (0.03, Outcome.INCONCLUSIVE), (0.1, Outcome.FAIL)]
)
def test_reads_that_another_region_answers(sound: Run, share: float, outcome: Outcome) -> None:
    verdict = check_routing(served_by(sound, "us-east", share=2 * share), CHECK)  # half of the reads are "home"

    assert verdict.outcome is outcome
    assert guilty(verdict) == ([] if outcome is Outcome.PASS else ["reads of europe answered elsewhere in baseline"])


def test_not_one_where_none_is_allowed(sound: Run) -> None:
    frame = sound.requests
    mine = frame.index[(frame["region_asked"] == "europe") & (frame["operation"] == "home") & frame["sent_s"].gt(6.0)]
    served = frame["region_served"].astype(object)
    served.loc[mine[0]] = "us-west"
    once = replace(sound, requests=frame.assign(region_served=served))

    assert check_routing(sound, RoutingCheck(reads_elsewhere=Ratio(0.0))).outcome is Outcome.PASS
    assert check_routing(once, RoutingCheck(reads_elsewhere=Ratio(0.0))).outcome is Outcome.FAIL


def test_writes_may_have_to_go_elsewhere(sound: Run) -> None:
    assert check_routing(served_by(sound, "us-east", share=1.0, operation="post"), CHECK).outcome is Outcome.PASS


def test_where_nobody_tells_and_where_nobody_came(sound: Run) -> None:
    untold = check_routing(replace(a_failover(), scraped=False, logged=False).built(), CHECK)
    empty = check_routing(replace(sound, requests=sound.requests.iloc[:0]), CHECK)
    without = check_routing(sound, RoutingCheck(phase="recovery_2"))

    assert "nobody tells where users are sent: us-east, us-west, europe, asia-pacific" in untold.sentence
    assert "nobody asked for a region" in empty.sentence
    assert "there is no recovery_2" in without.sentence
    assert {each.outcome for each in (untold, empty, without)} == {Outcome.INCONCLUSIVE}


def test_an_answer_that_names_no_region_says_nothing(sound: Run) -> None:
    nameless = sound.requests.assign(region_served=pd.Categorical([""] * len(sound.requests)))

    assert check_routing(replace(sound, requests=nameless), CHECK).outcome is Outcome.INCONCLUSIVE
