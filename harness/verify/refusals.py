"""Whether a refusal is cheap and says what it is: the reason to shed at all is that refusing costs next to nothing."""

import numpy as np

from harness.experiment.expectations.shedding import SheddingCheck
from harness.verify import figures, statistics, windows
from harness.verify.figures import Tested, say
from harness.verify.shed_answers import Answers
from harness.verify.slo import QuantileObjective, quantile_test
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Window

REFUSING_STATUS = (503, 429)
CHEAP_SHARE = 0.5  # of the time of an answer; both cross the same network and gateway
COSTLY_SHARE = 0.75


def latency_tests(check: SheddingCheck, answers: Answers) -> list[Tested]:
    if int(answers.shed.sum()) < statistics.min_samples(0.99):
        return []
    busy_s, length_s = windows.busy_time_s(answers.sent_s[answers.shed])
    window = Window(name="refusals", start_s=0.0, end_s=length_s)
    objective = QuantileObjective(name="refusal p99", quantile=0.99, limit_s=float(check.refusal_p99))
    return [quantile_test(objective, busy_s, answers.service_s[answers.shed], window=window, steady=False)]


def figures_of(answers: Answers) -> list[Figure]:
    if not answers.shed.any():
        return []
    unmarked = answers.shed & ~(answers.marked & np.isin(answers.status, REFUSING_STATUS))
    name = "refusals without marker or status 503"
    found = [figures.invariant(figures.never(name, int(unmarked.sum()), int(answers.shed.sum())))]
    if not answers.ok.any():
        return found
    return [*found, _cheap(answers)]


def _cheap(answers: Answers) -> Figure:
    """A refusal that takes about as long as an answer was made after the work, and saves nothing."""
    busy = answers.chance > 0
    refused = float(np.median(answers.service_s[answers.shed]))
    answered = float(np.median(answers.service_s[answers.ok & (busy if (answers.ok & busy).any() else answers.ok)]))
    share = refused / answered if answered else 1.0
    outcome = Outcome.PASS if share <= CHEAP_SHARE else Outcome.FAIL if share > COSTLY_SHARE else Outcome.INCONCLUSIVE
    return figures.stated(
        "median refusal",
        refused,
        unit="s",
        samples=int(answers.shed.sum()),
        accept=f"at most {say(CHEAP_SHARE, 'ratio')} of the median answer, {say(answered, 's')}",
        outcome=outcome,
        reason="" if outcome is Outcome.PASS else f"a refusal takes {say(share, 'ratio')} of the time of an answer",
    )
