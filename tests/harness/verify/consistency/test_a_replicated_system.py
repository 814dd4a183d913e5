"""Larger histories, made by a system whose truth is known."""

import pytest

from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.causality import causal
from harness.verify.consistency.durability import durability
from harness.verify.consistency.finding import Cohort, Finding
from harness.verify.consistency.history import misfits
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.staleness import staleness
from tests.harness.verify.consistency.a_replicated_system import CUT_S, REGIONS, a_replicated_system

pytestmark = pytest.mark.slow


def sound(*, hasty_links: bool = False) -> Answers:
    return answers_of(a_replicated_system(100_000, users=200, hasty_links=hasty_links))


def broken(finding: Finding, cohort: Cohort) -> int:
    assert finding[cohort].judged > 20
    return len(finding[cohort].violating)


def test_a_sound_system_breaks_nothing_that_is_promised() -> None:
    answers = sound()

    assert len(misfits(answers.history)) == 0
    assert broken(read_your_writes(answers), Cohort.STICKY) == 0
    assert broken(monotonic_reads(answers), Cohort.STICKY) == 0
    assert broken(monotonic_writes(answers), Cohort.STICKY) == 0
    assert broken(monotonic_writes(answers), Cohort.REMOTE) == 0
    assert causal(answers).cycles == ()
    found = durability(answers)
    assert found.unread_regions == ()
    assert all(len(there.lost) == 0 and there.judged > 1000 for there in found.by_region.values())
    assert len(found.unexpected) == len(found.duplicated) == 0


def test_links_that_do_not_keep_the_order_break_monotonic_writes_for_remote_observers_only() -> None:
    finding = monotonic_writes(sound(hasty_links=True))

    assert broken(finding, Cohort.STICKY) == 0
    assert broken(finding, Cohort.REMOTE) > 0


def test_a_cut_shows_in_the_staleness_of_its_link_and_in_causality() -> None:
    answers = sound()
    found = staleness(answers)

    worst_s = {pair: each.staleness_s.max() for pair, each in found.items()}
    cut = ("europe", "asia-pacific")
    assert 0.5 * (CUT_S[1] - CUT_S[0]) < worst_s[cut] < CUT_S[1] - CUT_S[0] + 2.0
    assert all(worst_s[region, region] == 0.0 for region in REGIONS)
    assert all(late_s < 2.0 for pair, late_s in worst_s.items() if pair != cut)
    assert broken(causal(answers).finding, Cohort.REMOTE) > 0
