"""Who counts as affected, in which window, and what that comes to."""

from collections.abc import Callable

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.severity import Severity
from harness.record import rows
from harness.record.reader import Run
from harness.verify import windows
from harness.verify.severity.assessment import Assessment, Scope, assess
from harness.verify.severity.grade import graded, most_allowed
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.report import some
from tests.harness.simulation import at, the_target

HURT_S = (30.0, 40.0)


def assessed(run: Run) -> Assessment:
    found = assess(run)
    assert found is not None
    return found


def scope(run: Run) -> Scope:
    found = assessed(run).scope
    assert found is not None
    return found


def test_the_bounds_are_those_of_the_specification() -> None:
    shares = (0.51, 0.50, 0.11, 0.10, 0.001, 0.0)

    grades = ["SEV1", "SEV2", "SEV2", "SEV3", "SEV3", "none"]
    assert [graded(share, at_risk=False) for share in shares] == grades
    assert graded(0.0, at_risk=True) is Severity.SEV4
    assert [most_allowed(severity) for severity in Severity] == [1.0, 0.5, 0.1, 0.0, 0.0]


def test_where_nobody_came_there_is_nothing_to_grade() -> None:
    assert assess(some.an_empty_run()) is None


def test_a_quiet_run_has_no_severity() -> None:
    found = assessed(a_run().built())

    assert (found.severity, found.affected, found.scope, found.risks) == (Severity.NONE, 0, None, ())
    assert found.risks_known


@pytest.mark.parametrize(("share", "severity"), [(1.0, "SEV1"), (0.25, "SEV2"), (0.03, "SEV3")])
def test_the_share_of_users_who_met_errors_decides(share: float, severity: str) -> None:
    found = assessed(a_run().with_errors(from_s=HURT_S[0], to_s=HURT_S[1], share=share).built())

    assert found.severity == severity
    assert found.worst.start_s == pytest.approx(HURT_S[0], abs=2.0)
    assert found.scope is not None
    assert (found.scope.start_s, found.scope.end_s) == pytest.approx(HURT_S, abs=1.0)
    assert not found.scope.goes_on


Change = Callable[[pd.DataFrame], pd.DataFrame]


def _to(word: str, *, priority: int, latency_s: float = 0.01) -> Change:
    """All answers of a priority in these ten seconds end so."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        hit = (frame["priority"] == priority) & frame["scheduled_s"].between(*HURT_S)
        latency = frame["latency_s"].mask(hit, latency_s)
        return frame.assign(outcome=frame["outcome"].mask(hit, word), latency_s=latency)

    return changed


AFFECTING = [
    ("an error", _to("failed", priority=4), True),
    ("a write of unknown fate", _to("unknown", priority=1), True),
    ("what could not be sent", _to("not_sent", priority=4), True),
    ("an answer after more than a second", _to("ok", priority=4, latency_s=1.01), True),
    ("an answer within a second", _to("ok", priority=1, latency_s=0.99), False),
    ("a shed search", _to("shed", priority=3), True),
    ("a post that is switched off", _to("disabled", priority=1), True),
    ("shed suggestions", _to("shed", priority=4), False),
    ("trends that are switched off", _to("disabled", priority=4), False),
]


@pytest.mark.parametrize(("change", "affects"), [row[1:] for row in AFFECTING], ids=[row[0] for row in AFFECTING])
def test_what_affects_a_user(change: Change, affects: bool) -> None:
    assert (assessed(a_run().altering_requests(change).built()).affected > 0) is affects


def _one_in(many: int) -> Change:
    """Of one user who asks for everything, one request in so many fails."""
    return lambda frame: frame.assign(user=1, outcome=frame["outcome"].mask(frame.index % many == 0, "failed"))


@pytest.mark.parametrize(("many", "severity"), [(9, "SEV1"), (40, "SEV4")])
def test_a_user_is_affected_of_whose_requests_a_tenth_hurt(many: int, severity: str) -> None:
    found = assessed(a_run().altering_requests(_one_in(many)).built())

    assert found.severity == severity
    assert "of no user many at once" in found.risks[-1].sentence


def test_refused_extras_are_a_risk() -> None:
    found = assessed(a_run().altering_requests(_to("shed", priority=4)).built())

    assert found.severity is Severity.SEV4
    assert "requests of the lowest priority were refused" in found.risks[0].sentence


def _alert(frame: pd.DataFrame, *, from_s: float) -> pd.DataFrame:
    fires = (frame["metric"] == "alert_firing") & frame["at_s"].between(from_s, from_s + 3)
    return frame.assign(value=frame["value"].mask(fires, 1.0))


def _gone(events: list[rows.Event]) -> list[rows.Event]:
    gone = rows.ServiceExited(at_ns=at(33.0), service="us-east-api-1", expected=True, detail="killed")
    return [*events, gone]


RISKS = [
    ("an alert", a_run().altering_metrics(lambda f: _alert(f, from_s=31.0)), "the alert degradation_level fired"),
    ("a level", a_run().with_inputs(from_s=31, to_s=33, cpu_ratio=0.8), "us-east-controller showed ADVISORY"),
    ("a part that was away", a_run().altering_events(_gone), "us-east-api-1 was away"),
]


@pytest.mark.parametrize(("run", "sentence"), [row[1:] for row in RISKS], ids=[row[0] for row in RISKS])
def test_a_risk_that_came_to_nothing_is_the_least_severity(run: RunBuilder, sentence: str) -> None:
    found = assessed(run.built())

    assert found.severity is Severity.SEV4
    assert found.risks[0].sentence == sentence
    assert found.risks[0].at_s == pytest.approx(32.0, abs=1.6)


def test_the_warm_up_does_not_count() -> None:
    run = a_run().with_errors(from_s=0, to_s=4.9).altering_metrics(lambda frame: _alert(frame, from_s=1.0))

    assert assessed(run.built()).severity is Severity.NONE


def test_nobody_is_affected_by_a_run_that_was_stopped() -> None:
    def never_sent(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(outcome=frame["outcome"].mask(frame["scheduled_s"] > 40.0, "not_sent"))

    def stop(events: list[rows.Event]) -> list[rows.Event]:
        return [*events, rows.RunStopped(at_ns=at(40.0), by="operator", reason="enough")]

    assert assessed(a_run().altering_requests(never_sent).altering_events(stop).built()).affected == 0


def test_a_run_that_was_stopped_before_its_load_began_had_none() -> None:
    stop = rows.RunStopped(at_ns=at(-0.5), by="operator", reason="enough")
    run = (
        a_run().altering_requests(lambda frame: frame.iloc[:0]).altering_events(lambda events: [*events, stop]).built()
    )

    assert windows.end_of_load_s(run) == 0.0
    assert assess(run) is None


def test_one_user_of_two_is_not_yet_an_outage() -> None:
    def two(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[[600, 601]].assign(user=[1, 2], outcome=["failed", "ok"])

    found = assessed(a_run().altering_requests(two).built())

    assert (found.surely, found.severity, found.at_worst) == ("SEV3", "SEV2", "SEV1")


def test_what_goes_on_at_the_end_is_not_over() -> None:
    assert scope(a_run().with_errors(from_s=70, to_s=99).built()).goes_on


def _in_two_regions(*, hurt: tuple[str, ...]) -> Run:
    """Users by turns from two regions; all of those from `hurt` meet errors."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        region = pd.Series(["us-east", "europe"] * (len(frame) // 2), index=frame.index)
        hit = region.isin(hurt) & frame["scheduled_s"].between(*HURT_S)
        outcome = frame["outcome"].mask(hit, "failed")
        return frame.assign(region_asked=region, outcome=outcome, user=frame["user"] + 5000 * (region == "europe"))

    target = msgspec.structs.replace(the_target(), regions=("us-east", "europe"))
    return a_run().with_target(target).altering_requests(changed).built()


def test_the_scope_tells_one_region_from_several() -> None:
    one, both = scope(_in_two_regions(hurt=("europe",))), scope(_in_two_regions(hurt=("europe", "us-east")))

    assert one.only_region == "europe"
    assert one.regions["us-east"][0] == 0 < one.regions["us-east"][1]
    assert both.only_region is None


def test_without_a_controller_the_risks_are_not_known() -> None:
    silent = a_run().altering_metrics(lambda frame: frame[frame["service"] != "us-east-controller"])

    assert not assessed(silent.built()).risks_known
