"""What several runs of one experiment prove together: how often a fail-over is over in time.

One run shows that it can be, not that it is. If k of n independent runs were in time, the share of all fail-overs that
are is at least p with 95 % confidence, where p is the one-sided bound of Clopper and Pearson; for n of n that is
0.05^(1/n): 3 runs 37 %, 5 runs 55 %, 20 runs 86 %, 59 runs 95 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from scipy import stats

from harness.errors import ExitCode
from harness.verify.failover.outage import RECOVERY_TIME
from harness.verify.statistics import CONFIDENCE
from harness.verify.verdict import Figure, Outcome, Verdicts, worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Fail-overs that were in time, those that were not, and those of which nobody knows."""

    in_time: int
    late: int
    unknown: int

    @property
    def decided(self) -> int:
        return self.in_time + self.late

    @property
    def outcome(self) -> Outcome:
        if self.late:
            return Outcome.FAIL
        return Outcome.PASS if self.in_time and not self.unknown else Outcome.INCONCLUSIVE


def proven_share(in_time: int, of: int) -> float:
    """The least share that is compatible with what was seen; nothing is proven by nothing."""
    if in_time == 0:
        return 0.0
    return float(stats.beta.ppf(1 - CONFIDENCE, in_time, of - in_time + 1))


def series_of(verdicts: Iterable[Verdicts], name: str) -> Series:
    """Of the runs' expectation of that name. A run that is not valid decides nothing, whatever its figures say."""
    outcomes = [outcome for each in verdicts for outcome in _outcomes(each, name)]
    return Series(
        in_time=outcomes.count(Outcome.PASS),
        late=outcomes.count(Outcome.FAIL),
        unknown=outcomes.count(Outcome.INCONCLUSIVE),
    )


def in_words(series: Series, within: str) -> str:
    """`5 of 5 within 15s: with 95 % confidence at least 55 % of fail-overs are.`"""
    left = f" {series.unknown} could not be decided." if series.unknown else ""
    if series.decided == 0:
        return f"No fail-over was decided.{left}"
    share = proven_share(series.in_time, series.decided)
    proven = f"with {CONFIDENCE:.0%} confidence at least {share:.0%} of fail-overs are".replace("%", " %")
    return f"{series.in_time} of {series.decided} within {within}: {proven}.{left}"


def exit_code(found: Iterable[Series]) -> ExitCode:
    codes = {Outcome.PASS: ExitCode.PASS, Outcome.FAIL: ExitCode.FAIL, Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    return codes[worst([series.outcome for series in found])]


def _outcomes(verdicts: Verdicts, name: str) -> list[Outcome]:
    """One for each outage of the run."""
    valid = all(each.outcome is Outcome.PASS for each in verdicts.verdicts if each.check == "validity")
    own = [each for each in verdicts.verdicts if each.check == "failover" and each.name == name]
    times = [figure for verdict in own for figure in verdict.figures if _is_recovery_time(figure)]
    if not times:
        return [Outcome.INCONCLUSIVE]
    return [figure.outcome if valid else Outcome.INCONCLUSIVE for figure in times]


def _is_recovery_time(figure: Figure) -> bool:
    return figure.name == RECOVERY_TIME or figure.name.startswith(f"{RECOVERY_TIME} (")
