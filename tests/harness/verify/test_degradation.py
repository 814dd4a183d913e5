"""Each part of the promise, broken alone, in a run that keeps all others."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.faults import KillFault
from harness.units import Seconds
from harness.verify.degradation import check_degradation
from harness.verify.verdict import Figure, Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, REPLICAS, Stretch, the_target
from tests.harness.verify.a_full_run import a_full_run, figure, guilty

CHECK = DegradationCheck(reaches="CRITICAL", visits=("ADVISORY", "WARNING"))
Change = Callable[[pd.DataFrame], pd.DataFrame]
Values = pd.Series | NDArray[np.float64] | float
Log = list[dict[str, object]]


def _metric(service: str, metric: str, value: Callable[[pd.DataFrame], Values], *, labels: str = "") -> Change:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        mine = (frame["service"] == service) & (frame["metric"] == metric)
        if labels:
            mine &= frame["labels"] == labels
        frame.loc[mine, "value"] = value(frame[mine])
        return frame

    return changed


def _answers(hit: Callable[[pd.DataFrame], pd.Series], column: str, value: object) -> Change:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame[column].astype(object).mask(hit(frame), value)})

    return changed


def _at_level(level: int, operation: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: (frame["level"] == level) & (frame["operation"] == operation) & (frame["outcome"] == "ok")


def _without(event: str, which: int = 0) -> Callable[[Log], Log]:
    def changed(log: Log) -> Log:
        hits = [line for line in log if line["event"] == event]
        return [line for line in log if line is not hits[which]]

    return changed


def test_a_quiet_run_keeps_the_promise_and_reaches_nothing() -> None:
    run = a_run().built()

    assert check_degradation(run, DegradationCheck()).outcome is Outcome.PASS
    verdict = check_degradation(run, CHECK)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "CRITICAL reached" in guilty(verdict)


def test_a_run_up_and_down_the_ladder_passes() -> None:
    verdict = check_degradation(a_full_run().built(), CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert [evidence.sentence.split(" with")[0] for evidence in verdict.evidence] == [
        "NORMAL → ADVISORY",
        "ADVISORY → CRITICAL",
        "CRITICAL → WARNING",
        "WARNING → ADVISORY",
        "ADVISORY → NORMAL",
    ]


def test_without_metrics_nothing_is_known() -> None:
    run = a_full_run().altering_metrics(lambda frame: frame.iloc[:0]).built()

    assert check_degradation(run, CHECK).outcome is Outcome.INCONCLUSIVE


LEVEL = "evaluations with another level than promised"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "run", "culprit"),
    [
        (
            "never above ADVISORY",
            a_full_run().altering_metrics(_metric(CONTROLLER, "degradation_level", lambda f: f["value"].clip(upper=1))),
            LEVEL,
        ),
        (
            "a second late",
            a_full_run().altering_metrics(
                _metric(CONTROLLER, "degradation_level", lambda f: np.r_[[0.0] * 2, f["value"].to_numpy()[:-2]])
            ),
            LEVEL,
        ),
        (
            "WARNING skipped on the way down",
            a_full_run().altering_metrics(
                _metric(CONTROLLER, "degradation_level", lambda f: f["value"].mask(f["value"] == 2, 1.0))
            ),
            LEVEL,
        ),
        (
            "a flag stays on",
            a_full_run().altering_metrics(
                _metric(REPLICAS[0], "feature_enabled", lambda f: 1.0, labels='feature="search"')
            ),
            f"wrong flags of {REPLICAS[0]}",
        ),
        (
            "nobody is paged",
            a_full_run().altering_metrics(_metric(CONTROLLER, "alert_firing", lambda f: 0.0)),
            "wrong degradation_level alert",
        ),
        (
            "paged for ever",
            a_full_run().altering_metrics(
                _metric(CONTROLLER, "alert_firing", lambda f: (f["at_s"] > 35).astype(float))
            ),
            "wrong degradation_level alert",
        ),
        (
            "a change is not logged",
            a_full_run().altering_controller_log(_without("level_changed", 2)),
            "level changes with a missing or wrong log line",
        ),
        (
            "the log gives no inputs",
            a_full_run().altering_controller_log(lambda log: [{**line, "inputs": {}} for line in log]),
            "level changes with a missing or wrong log line",
        ),
        (
            "the alert is not logged as resolved",
            a_full_run().altering_controller_log(_without("alert_resolved")),
            "alerts not logged as fired and resolved",
        ),
        (
            "search works at CRITICAL",
            a_full_run().altering_requests(
                lambda f: _answers(_at_level(3, "search"), "features_on", "search")(
                    _answers(_at_level(3, "search"), "features_off", "")(
                        _answers(_at_level(3, "search"), "disabled_feature", "")(f)
                    )
                )
            ),
            "features at CRITICAL",
        ),
        (
            "search is off in the normal state",
            a_full_run().altering_requests(
                lambda f: _answers(_at_level(0, "search"), "features_off", "search")(
                    _answers(_at_level(0, "search"), "features_on", "")(f)
                )
            ),
            "features at NORMAL",
        ),
        (
            "no banner",
            a_full_run().altering_requests(lambda f: f.assign(banner=False)),
            "answers with a wrong banner",
        ),
        (
            "a banner for all",
            a_full_run().altering_requests(lambda f: f.assign(banner=f["level"] >= 0)),
            "answers with a wrong banner",
        ),
        (
            "a replica never hears of the level",
            a_full_run().altering_requests(lambda f: f.assign(level=f["level"].mask(f["served_by"] == REPLICAS[1], 0))),
            "answers at a level that was not in force",
        ),
    ],
)
def test_each_broken_part_of_the_promise_is_found(defect: str, run: RunBuilder, culprit: str) -> None:
    verdict = check_degradation(run.built(), CHECK)

    assert verdict.outcome is Outcome.FAIL, defect
    assert figure(verdict, culprit).outcome is Outcome.FAIL, (defect, guilty(verdict))


@pytest.mark.parametrize("event", ["level_changed", "alert_fired"])
def test_a_log_that_was_not_recorded_is_no_fault_of_the_system(event: str) -> None:
    run = a_full_run().altering_controller_log(lambda log: []).built()
    verdict = check_degradation(run, CHECK)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, [f"log of {CONTROLLER}"])


def test_a_missed_evaluation_is_no_deviation() -> None:
    def thin(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~((frame["service"] == CONTROLLER) & frame["at_s"].between(35.2, 36.4))]

    verdict = check_degradation(a_full_run().altering_metrics(thin).built(), CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence


def test_a_controller_that_stops_evaluating_is_found() -> None:
    stuck = _metric(CONTROLLER, "degradation_evaluations_total", lambda f: f["value"].clip(upper=165))
    verdict = check_degradation(a_full_run().altering_metrics(stuck).built(), DegradationCheck())

    assert figure(verdict, "longest time without an evaluation").outcome is Outcome.FAIL


def _ends(at_s: float, *metrics: str) -> Change:
    """The controller shows these metrics no more; without any named nothing at all."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        gone = (frame["service"] == CONTROLLER) & (frame["at_s"] > at_s)
        return frame[~(gone & (frame["metric"].isin(metrics) | (not metrics)))]

    return changed


SILENCE = "longest time without an evaluation"
KILLED = a_run().with_fault(KillFault(service=CONTROLLER, at=Seconds(5.0), lasts=Seconds(10.0)))  # from 30 s to 40 s


@pytest.mark.parametrize(
    ("why", "run", "gone"),
    [
        ("never back after it was killed", KILLED.altering_metrics(_ends(30)), "degradation_evaluations_total"),
        ("shows no level", a_run().altering_metrics(_ends(30, "degradation_level")), "degradation_level"),
        ("shows no inputs", a_run().altering_metrics(_ends(30, "degradation_input")), "degradation_input"),
        (
            "counts no evaluations",
            a_run().altering_metrics(_ends(30, "degradation_evaluations_total")),
            "degradation_evaluations_total",
        ),
    ],
)
def test_what_is_not_shown_until_the_end_is_not_known(why: str, run: RunBuilder, gone: str) -> None:
    verdict = check_degradation(run.built(), DegradationCheck())

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, [SILENCE, "ends at NORMAL"]), why
    assert figure(verdict, SILENCE).value == pytest.approx(80.0 - 29.55), why
    assert f"no scrape of {CONTROLLER} shows {gone}" in verdict.sentence
    assert "after T+29.6 s" in verdict.sentence


def test_nobody_is_blamed_for_a_level_that_was_not_shown() -> None:
    """The level is shown until 34 s, at ADVISORY; then it gets worse, and is NORMAL in the end."""
    run = a_full_run().altering_metrics(_ends(34.0, "degradation_level")).built()
    verdict = check_degradation(run, DegradationCheck())

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, [SILENCE, "ends at NORMAL"])
    assert "the last one shown was ADVISORY" in figure(verdict, "ends at NORMAL").reason


def test_a_controller_that_is_killed_and_comes_back_passes() -> None:
    def away(frame: pd.DataFrame) -> pd.DataFrame:
        """It counts anew from its start at 40 s."""
        mine, number = frame["service"] == CONTROLLER, frame["metric"] == "degradation_evaluations_total"
        anew = frame["value"].where(~(mine & number & (frame["at_s"] > 40)), frame["value"] - 144)
        return frame.assign(value=anew)[~(mine & frame["at_s"].between(30, 41))]

    verdict = check_degradation(KILLED.altering_metrics(away).built(), DegradationCheck())

    assert verdict.outcome is Outcome.PASS, verdict.sentence


def test_one_of_two_controllers_that_shows_no_level_leaves_it_open() -> None:
    target = the_target()
    services = {**target.services, "europe-controller": target.services[CONTROLLER]}
    run = a_run().with_target(msgspec.structs.replace(target, services=services)).built()
    verdict = check_degradation(run, DegradationCheck())

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no scrape of europe-controller shows level and evaluation" in verdict.sentence


def test_a_feature_that_nobody_used_at_a_wanted_level_is_not_observed() -> None:
    run = a_full_run().altering_requests(lambda frame: frame[frame["operation"] != "search"]).built()
    verdict = check_degradation(run, CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not observed: search" in figure(verdict, "features at CRITICAL").reason


# --- one straggler beside much more ---------------------------------------------------------------------------------


def test_a_flag_that_is_wrong_once_does_not_hide_one_that_always_is() -> None:
    """`who_to_follow` is on at the only scrape of ADVISORY that shows it; `search` is on throughout CRITICAL."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        mine = (frame["service"] == REPLICAS[0]) & (frame["metric"] == "feature_enabled")
        once = mine & (frame["labels"] == 'feature="who_to_follow"')
        always = mine & (frame["labels"] == 'feature="search"')
        value = frame["value"].mask(always | (once & frame["at_s"].between(32, 35)), 1.0)
        return frame.assign(value=value)[~(once & (frame["at_s"] > 40))]

    ladder = a_run().with_inputs(from_s=31, to_s=34, latency_p99_ms=300.0)
    run = ladder.with_inputs(from_s=34, to_s=39, latency_p99_ms=1200.0).altering_metrics(changed).built()
    found = figure(check_degradation(run, DegradationCheck()), f"wrong flags of {REPLICAS[0]}")

    assert found.outcome is Outcome.FAIL
    assert found.reason.startswith("search on at CRITICAL, first at")


def _home_shows(feature: str, hit: Callable[[pd.DataFrame], pd.Series]) -> Change:
    """A feature of the home timeline that is off at CRITICAL is there in some of its answers."""
    others = {"algorithmic_timeline", "analytics_tracking", "media_previews"} - {feature}

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        wrong = _at_level(3, "home")(frame)
        wrong &= hit(frame[wrong]).reindex(frame.index, fill_value=False)
        off = _answers(lambda _: wrong, "features_off", ",".join(sorted(others)))
        return _answers(lambda _: wrong, "features_on", feature)(off(frame))

    return changed


def _first_settled(frame: pd.DataFrame) -> pd.Series:
    """One answer long after the level has changed."""
    late = frame.index[frame["sent_s"] > 36]
    return pd.Series(frame.index == late[0], index=frame.index)


def test_a_feature_that_is_wrong_once_does_not_hide_one_that_often_is() -> None:
    """At CRITICAL the only search answered works, and every other home timeline has its media previews."""

    def one_search(frame: pd.DataFrame) -> pd.DataFrame:
        searches = frame[(frame["operation"] == "search") & (frame["level"] == 3)]
        middle = searches.index[len(searches) // 2]
        wrong = _answers(lambda f: pd.Series(f.index == middle, index=f.index), "features_on", "search")(frame)
        for column in ("features_off", "disabled_feature"):
            wrong = _answers(lambda f: pd.Series(f.index == middle, index=f.index), column, "")(wrong)
        return wrong.drop(searches.index.difference([middle]))

    previews = _home_shows("media_previews", lambda frame: pd.Series(frame.index % 2 == 0, index=frame.index))
    run = a_full_run().altering_requests(one_search).altering_requests(previews).built()
    found = figure(check_degradation(run, DegradationCheck()), "features at CRITICAL")

    assert found.outcome is Outcome.FAIL
    assert found.reason == "media_previews has to be off at CRITICAL"


def test_a_straggler_does_not_stand_for_a_feature_that_nobody_used() -> None:
    """At CRITICAL one home timeline of 700 has its media previews, which is no defect, and nobody searches."""
    ladder = a_run().with_rate(150.0).without_shedding().with_inputs(from_s=31, to_s=39, latency_p99_ms=1200.0)
    straggler = ladder.altering_requests(_home_shows("media_previews", _first_settled))
    run = straggler.altering_requests(lambda frame: frame[frame["operation"] != "search"]).built()

    def features(check: DegradationCheck) -> Figure:
        return figure(check_degradation(run, check), "features at CRITICAL")

    assert features(DegradationCheck()).outcome is Outcome.PASS
    assert features(DegradationCheck(reaches="CRITICAL")).outcome is Outcome.INCONCLUSIVE
    assert features(DegradationCheck(reaches="CRITICAL")).reason == "not observed: search"


# --- inputs -----------------------------------------------------------------------------------------------------------


def _dishonest(**inputs: float) -> RunBuilder:
    """What the controller says it saw from 60 s to 70 s, while clients saw nothing of it."""
    run = a_full_run()
    lie = Stretch(60.0, 70.0, dict(inputs))
    return replace(run, input_stretches=(*run.input_stretches, lie))


@pytest.mark.parametrize(
    ("lie", "culprit"),
    [
        ({"error_ratio": 0.3}, "evaluations in a row with another error_ratio than clients saw"),  # shed as errors
        ({"latency_p99_ms": 1500.0}, "evaluations in a row with another latency_p99_ms than clients saw"),
    ],
)
def test_a_level_that_follows_dishonest_inputs_is_no_kept_promise(lie: dict[str, float], culprit: str) -> None:
    verdict = check_degradation(_dishonest(**lie).built(), DegradationCheck())

    assert culprit in guilty(verdict)
    assert figure(verdict, LEVEL).outcome is Outcome.PASS  # the level itself followed them


def test_errors_that_the_controller_does_not_count_are_found() -> None:
    run = a_run().with_errors(from_s=40, to_s=60, share=0.3).built()  # answered by the replicas with 500
    verdict = check_degradation(run, DegradationCheck())

    assert guilty(verdict) == ["evaluations in a row with another error_ratio than clients saw"]


def test_honest_errors_are_believed() -> None:
    run = a_run().with_counted_errors(from_s=40, to_s=44, share=0.2).built()

    assert check_degradation(run, DegradationCheck(reaches="SURVIVAL")).outcome is Outcome.PASS


@pytest.mark.parametrize("counted", [0.2, 0.5])  # of all answers, or of those that were tried
def test_what_only_replaces_a_feature_may_be_counted_as_an_answer_or_not(counted: float) -> None:
    """A fifth are errors; three of four of the others are replaced."""

    def replaced(frame: pd.DataFrame) -> pd.DataFrame:
        others = (frame["outcome"] == "ok") & frame["finished_s"].between(40, 60)
        chosen = others & (others.cumsum() % 4 != 0)
        words = frame["disabled_feature"].astype(str).where(~chosen, "search")
        return frame.assign(disabled_feature=words)

    run = (
        a_run().with_counted_errors(from_s=40, to_s=60, share=0.2).with_inputs(from_s=46, to_s=59, error_ratio=counted)
    )
    verdict = check_degradation(run.altering_requests(replaced).built(), DegradationCheck())

    assert figure(verdict, "evaluations in a row with another error_ratio").outcome is Outcome.PASS


def test_errors_that_replicas_cannot_see_are_not_held_against_the_controller() -> None:
    run = a_run().with_errors(from_s=40, to_s=60, share=0.3, error="reset").built()

    assert check_degradation(run, DegradationCheck()).outcome is Outcome.PASS


UNKNOWN = "evaluations with an unknown input"


def _input(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """What the controller shows of one input."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        mine = (frame["metric"] == "degradation_input") & (frame["labels"] == f'input="{name}"')
        return pd.concat([frame[~mine], change(frame[mine])]).sort_values("at_ns", kind="stable", ignore_index=True)

    return changed


HIDDEN = [
    ("missing", _input("error_ratio", lambda f: f.iloc[:0]), "as a number, first at T+2.5 s"),
    (
        "by another name",
        _input("error_ratio", lambda f: f.assign(labels='input="errors"')),
        "as a number, first at T+2.5 s",
    ),
    ("not a number", _input("error_ratio", lambda f: f.assign(value=np.nan)), "as a number, first at T+2.5 s"),
    ("no longer shown", _input("error_ratio", lambda f: f[f["at_s"] < 41]), "as a number, first at T+41.5 s"),
    (
        "not a number while it matters",
        _input("error_ratio", lambda f: f.assign(value=f["value"].mask(f["at_s"].between(40, 56)))),
        "as a number, first at T+40.5 s",
    ),
]


@pytest.mark.parametrize(("change", "words"), [row[1:] for row in HIDDEN], ids=[row[0] for row in HIDDEN])
def test_a_level_that_follows_inputs_that_nobody_sees_is_not_known_to(change: Change, words: str) -> None:
    run = a_run().with_errors(from_s=40, to_s=50, share=0.3).altering_metrics(change).built()
    verdict = check_degradation(run, DegradationCheck())

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, [UNKNOWN])
    assert figure(verdict, UNKNOWN).reason == f"{CONTROLLER} did not show error_ratio {words}"


def test_a_controller_that_shows_no_inputs_at_all_proves_nothing() -> None:
    run = a_run().altering_metrics(lambda frame: frame[frame["metric"] != "degradation_input"]).built()
    verdict = check_degradation(run, DegradationCheck())

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, [UNKNOWN])
    assert "did not show cpu_ratio and error_ratio and latency_p99_ms as a number, first at T+2.5 s" in verdict.sentence


def test_what_nobody_can_measure_without_answers_need_not_be_known() -> None:
    """No answers before the load, and none from 60 s to 75 s: then there is no quantile of them."""

    def unknown(frame: pd.DataFrame) -> pd.DataFrame:
        at_s = frame["at_s"]
        return frame.assign(value=frame["value"].mask((at_s < 1) | at_s.between(63, 76)))

    run = a_run().with_overload(from_s=60, to_s=75, per_s=0.0).altering_metrics(_input("latency_p99_ms", unknown))

    assert check_degradation(run.built(), DegradationCheck()).outcome is Outcome.PASS
