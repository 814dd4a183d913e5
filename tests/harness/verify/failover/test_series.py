import pytest

from harness.errors import ExitCode
from harness.verify.failover.series import Series, exit_code, in_words, proven_share, series_of
from harness.verify.verdict import Figure, Outcome, Verdict, Verdicts

NAME = "failover of us-east within 15s"


@pytest.mark.parametrize(("runs", "share"), [(3, 0.37), (5, 0.55), (10, 0.74), (20, 0.86), (59, 0.95)])
def test_runs_without_a_miss_prove_a_share(runs: int, share: float) -> None:
    assert proven_share(runs, runs) == pytest.approx(0.05 ** (1 / runs))
    assert proven_share(runs, runs) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(
    ("in_time", "of", "share"),
    [(0, 0, 0.0), (0, 5, 0.0), (4, 5, 0.343), (19, 20, 0.784)],
)
def test_a_miss_lowers_what_is_proven(in_time: int, of: int, share: float) -> None:
    assert proven_share(in_time, of) == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(
    ("series", "words", "code"),
    [
        (
            Series(in_time=5, late=0, unknown=0),
            "5 of 5 within 15s: with 95 % confidence at least 55 % of fail-overs are.",
            ExitCode.PASS,
        ),
        (
            Series(in_time=4, late=1, unknown=1),
            "4 of 5 within 15s: with 95 % confidence at least 34 % of fail-overs are. 1 could not be decided.",
            ExitCode.FAIL,
        ),
        (
            Series(in_time=0, late=0, unknown=2),
            "No fail-over was decided. 2 could not be decided.",
            ExitCode.INCONCLUSIVE,
        ),
    ],
)
def test_a_series_in_words(series: Series, words: str, code: ExitCode) -> None:
    assert in_words(series, "15s") == words
    assert exit_code([series]) is code


def _a_run(*times: Outcome, valid: bool = True, name: str = NAME) -> Verdicts:
    figures = tuple(
        Figure(name=f"recovery time (region_outage-{number})", unit="s", value=3.0, samples=9, accept="", outcome=time)
        for number, time in enumerate(times)
    )
    validity = Outcome.PASS if valid else Outcome.INCONCLUSIVE
    verdicts = (
        Verdict(check="validity", name="validity of the run", outcome=validity, sentence=""),
        Verdict(check="failover", name=name, outcome=Outcome.FAIL, sentence="", figures=figures),
    )
    return Verdicts(run_id="r", outcome=Outcome.FAIL, stopped=False, clean=True, verdicts=verdicts)


def test_each_outage_counts_and_doubtful_runs_decide_nothing() -> None:
    runs = [
        _a_run(Outcome.PASS, Outcome.PASS),
        _a_run(Outcome.FAIL),
        _a_run(Outcome.PASS, valid=False),
        _a_run(),
        _a_run(Outcome.PASS, name="another expectation"),
    ]

    assert series_of(runs, NAME) == Series(in_time=2, late=1, unknown=3)


def test_no_runs_prove_nothing() -> None:
    assert series_of([], NAME) == Series(in_time=0, late=0, unknown=0)
    assert exit_code([]) is ExitCode.INCONCLUSIVE
