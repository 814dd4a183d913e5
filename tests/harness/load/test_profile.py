"""A profile reads like behaviour, and a broken one is told with its line."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from harness.errors import ExperimentError
from harness.load.profile import Zipf, describe, draw_visits, load_profile

HEAD = """\
from harness.load.profile import Visitor, Zipf, does
people = Zipf(population=100, cast=10)
"""
READER = """
class Reader(Visitor):
    share = 3

    @does("home", route="GET /home", share=3, priority=2)
    def reads(self, site): ...

    @does("post", route="POST /post", share=1, priority=1)
    def posts(self, site): ...
"""


Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a profile, and says where."""

    def write(text: str) -> Path:
        path = tmp_path / "some_day.py"
        path.write_text(dedent(text))
        return path

    return write


def test_shares_are_of_all_arrivals_and_writes_follow_the_method(written: Written) -> None:
    path = written(
        HEAD
        + READER
        + """
class Other(Visitor):
    share = 1

    @does("login", route="POST /login", share=0.5, priority=1, writes=False)
    def logs_in(self, site): ...

    @does("home", route="GET /home", share=0.5, priority=2)
    def reads(self, site): ...
"""
    )

    specs = {spec.name: spec for spec in describe(path)}

    assert {name: spec.share for name, spec in specs.items()} == pytest.approx(
        {"home": 0.75 * 0.75 + 0.25 * 0.5, "post": 0.75 * 0.25, "login": 0.25 * 0.5}
    )
    assert {name for name, spec in specs.items() if spec.writes} == {"post"}
    assert specs["home"].route == "GET /home"
    assert specs["post"].priority == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("people = (", r"line 1: .*never closed"),
        ("import nothing_of_that_name", r"line 1: ModuleNotFoundError"),
        ("\n\nx = 1 / 0", r"line 3: ZeroDivisionError"),
        ("", r"a profile says who acts: people = Zipf"),
        (HEAD, r"no visitor does anything"),
        (HEAD + "class Idle(Visitor): ...", r"no visitor does anything"),
        (HEAD.replace("cast=10", "cast=101") + READER, r"wanted 1 <= cast <= population"),
        (HEAD + READER.replace("share = 3", "share = 0"), r"line 4: the share of Reader is 0, wanted a number above 0"),
        (HEAD + READER.replace("share=1,", "share=-1,"), r'line 10: the share of "post" is -1'),
        (
            HEAD + READER.replace("GET /home", "/home"),
            r'line 7: the route "/home" of "home" is not a method and a path',
        ),
        (HEAD + READER.replace("GET /home", "LOOK /home"), r"known methods: GET"),
        (HEAD + READER.replace("priority=2", "priority=5"), r'line 7: the priority of "home" is 5, wanted 1–4'),
        (
            HEAD + READER.replace("priority=2", "priority=2, retries=-1"),
            r'line 7: the retries of "home" are -1, wanted 0–9',
        ),
        (HEAD + READER.replace("priority=2", "priority=2, retries=1.5"), r'the retries of "home" are 1.5, wanted 0–9'),
        (HEAD + READER.replace('"post"', '"home"'), r'line 10: "home" is described differently elsewhere'),
        (HEAD + READER + "prepare = 3", r"prepare must be a function"),
    ],
)
def test_a_broken_profile_is_refused_with_its_line(written: Written, text: str, message: str) -> None:
    with pytest.raises(ExperimentError, match=r"some_day\.py.*" + message):
        describe(written(text))


def test_a_missing_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"nobody\.py: this profile cannot be read"):
        describe(tmp_path / "nobody.py")


def test_visits_are_drawn_by_seed_and_shard_in_the_shares_of_the_profile(written: Written) -> None:
    profile = load_profile(written(HEAD + READER))

    def drawn(seed: int, shard: int) -> list[list[int]]:
        visits = draw_visits(profile, 10_000, seed=seed, shard=shard)
        return [visits.actions.tolist(), visits.users.tolist(), visits.draws.tolist()]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)
    assert np.mean(np.array(drawn(1, 0)[0]) == 0) == pytest.approx(0.75, abs=0.02)
    assert [len(column) for column in drawn(1, 0)] == [10_000] * 3


def test_no_arrivals_draw_no_visits(written: Written) -> None:
    visits = draw_visits(load_profile(written(HEAD + READER)), 0, seed=1, shard=0)

    assert len(visits.actions) == len(visits.users) == len(visits.draws) == 0


def test_a_few_users_come_again_and_again() -> None:
    people = Zipf(population=3000, cast=300)
    cast = people.members(seed=1)
    users = people.draw(np.random.default_rng(1), 100_000, seed=1)

    assert len(set(cast)) == 300
    assert set(cast) <= set(range(1, 3001))
    assert cast != people.members(seed=2)
    assert set(users.tolist()) <= set(cast)
    harmonic = sum(1 / rank for rank in range(1, 301))
    assert (users == cast[0]).mean() == pytest.approx(1 / harmonic, rel=0.05)
    assert (users == cast[9]).mean() == pytest.approx(0.1 / harmonic, rel=0.1)


AUDITOR = """
class Auditor(Visitor):
    @does("audit", route="GET /all", share=1, priority=3, phase="final_reads", fresh=True)
    def audits(self, site): ...
"""


def test_final_reads_are_all_that_is_done_in_their_phase_and_nothing_before_it(written: Written) -> None:
    profile = load_profile(written(HEAD + READER + AUDITOR))
    names = np.array([action.operation for action in profile.actions])

    visits = draw_visits(profile, 1000, seed=1, shard=0, phases={"final_reads": slice(900, 1000)})

    done = names[visits.actions]
    assert set(done[:900]) == {"home", "post"}
    assert set(done[900:]) == {"audit"}
    assert sum(spec.share for spec in profile.operations if not spec.phase) == pytest.approx(1)


def test_what_final_reads_add_changes_nothing_before_them(written: Written) -> None:
    without = load_profile(written(HEAD + READER))
    before = draw_visits(without, 500, seed=1, shard=0)

    after = draw_visits(load_profile(written(HEAD + READER + AUDITOR)), 500, seed=1, shard=0)

    assert np.array_equal(before.users, after.users)
    assert np.array_equal(before.draws, after.draws)


STORM = """
class Storm(Visitor):
    @does("edit", route="PUT /all", share=3, priority=3, phase="disturbed")
    def edits(self, site): ...
    @does("look", route="GET /one", share=1, priority=2, phase="disturbed")
    def looks(self, site): ...
"""


def test_what_is_done_while_all_is_disturbed_is_done_then_and_nothing_else_is(written: Written) -> None:
    profile = load_profile(written(HEAD + READER + STORM + AUDITOR))
    names = np.array([action.operation for action in profile.actions])

    phases = {"disturbed": slice(200, 600), "final_reads": slice(900, 1000)}
    done = names[draw_visits(profile, 1000, seed=1, shard=0, phases=phases).actions]

    assert set(done[:200]) == set(done[600:900]) == {"home", "post"}
    assert set(done[200:600]) == {"edit", "look"}
    assert (done[200:600] == "edit").mean() == pytest.approx(0.75, abs=0.07)
    assert set(done[900:]) == {"audit"}


def test_a_phase_without_operations_of_its_own_is_like_the_others(written: Written) -> None:
    profile = load_profile(written(HEAD + READER))
    before = draw_visits(profile, 500, seed=1, shard=0)

    after = draw_visits(profile, 500, seed=1, shard=0, phases={"disturbed": slice(100, 200)})

    assert np.array_equal(before.actions, after.actions)


def test_something_has_to_be_done_before_all_is_disturbed(written: Written) -> None:
    with pytest.raises(ExperimentError, match="nothing is done but in disturbed and final_reads"):
        load_profile(written(HEAD + STORM + AUDITOR))


def test_another_phase_has_no_operations_of_its_own(written: Written) -> None:
    with pytest.raises(ExperimentError, match="line 5: the phase of \"audit\" is 'recovery'"):
        load_profile(written(HEAD + AUDITOR.replace("final_reads", "recovery")))


def test_users_live_in_the_regions_in_turns() -> None:
    people = Zipf(population=100, cast=10, homes=("us-east", "europe"))

    assert [people.home_of(user) for user in (1, 2, 3)] == ["us-east", "europe", "us-east"]
    assert Zipf(population=100, cast=10).home_of(1) == ""
