"""The negative controls, and that they notice a check that cannot be red."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from harness.display.runs import show_trials
from harness.errors import ExitCode
from harness.judging import Tried
from harness.verify.consistency.answers import Answers
from harness.verify.consistency.history import History
from harness.verify.consistency.mutations import MUTATIONS, Mutation
from harness.verify.consistency.recorded import history_of
from harness.verify.consistency.selftest import Noticed, broken, selftest
from harness.verify.consistency.sound import SOUND, sound_history
from tests.harness.verify.consistency.a_history import REGIONS, a_history, finally_saw, told, wrote
from tests.harness.verify.consistency.a_recorded_history import recorded
from tests.harness.verify.consistency.a_replicated_system import a_replicated_system


def test_the_sound_history_is_sound() -> None:
    assert set(broken(told(*SOUND.values())).values()) == {0}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_each_mutation_flips_exactly_its_check(mutation: Mutation) -> None:
    (trial,) = selftest(sound_history(), [mutation])

    assert trial.noticed is Noticed.EXACTLY
    assert set(trial.flipped) - mutation.along == {mutation.flips}


def test_a_recorded_run_can_be_tried_too() -> None:
    trials = selftest(history_of(recorded(*SOUND.values())))

    assert {trial.noticed for trial in trials} == {Noticed.EXACTLY}


def test_every_check_has_a_mutation_that_flips_it() -> None:
    flipped = {mutation.flips for mutation in MUTATIONS}

    assert flipped == broken(told()).keys() - {"causal"}  # it holds the others in itself


def test_a_history_without_occasion_says_so() -> None:
    in_the_end = [finally_saw(region, "p1") for region in REGIONS]
    trials = selftest(a_history(wrote(1, "p1", at_s=1.0), *in_the_end))

    noticed = {trial.mutation.name: trial.noticed for trial in trials}
    assert noticed["show something twice in one answer"] is Noticed.EXACTLY
    assert noticed["count one too many"] is Noticed.NO_OCCASION
    assert Tried(source="a short one", trials=trials).exit_code is ExitCode.INCONCLUSIVE


def unchanged(answers: Answers) -> Iterator[History]:
    yield answers.history


@pytest.mark.parametrize(
    "blind",
    [
        replace(MUTATIONS[0], made=unchanged),
        replace(MUTATIONS[0], flips="duplicated"),
        replace(MUTATIONS[7], along=frozenset[str]()),
    ],
    ids=["nothing notices", "another notices", "two notice"],
)
def test_a_check_that_does_not_notice_or_not_alone_is_wrong(blind: Mutation) -> None:
    trials = selftest(sound_history(), [blind])

    assert trials[0].noticed is Noticed.WRONGLY
    assert Tried(source="it", trials=trials).exit_code is ExitCode.FAIL


def test_the_table_names_every_mutation_and_what_it_flipped() -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    trials = selftest(sound_history(), [MUTATIONS[0], replace(MUTATIONS[3], made=unchanged)])
    show_trials(Tried(source="a run", trials=trials), console)

    text = console.export_text()
    assert "drop an acknowledged write from a final read" in text
    assert "WRONG" in text
    assert "do not trust the verdicts. (exit 1)" in text


@pytest.mark.slow
def test_most_mutations_are_noticed_in_a_busy_system() -> None:
    trials = selftest(a_replicated_system(8_000, users=200))

    assert not [trial.mutation.name for trial in trials if trial.noticed is Noticed.WRONGLY]
    assert sum(trial.noticed is Noticed.EXACTLY for trial in trials) >= 8
