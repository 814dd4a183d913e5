"""What only shows when an experiment and its profile are put together."""

from pathlib import Path

import pytest

from harness.errors import ExitCode, ExperimentError
from harness.gameday import make_plan
from tests.harness.loading.an_experiment import SMALL, Written

PROFILE = """
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population=10, cast=5)

class Reader(Visitor):
    @does("home", route="GET /timeline/home", share=1, priority=2)
    def reads(self, site): ...

class Auditor(Visitor):
    @does("audit", route="GET /all", share=1, priority=3, phase="final_reads", fresh=True)
    def audits(self, site): ...
"""
STORM = """
class Storm(Visitor):
    @does("edit", route="PUT /all", share=1, priority=3, phase="disturbed")
    def edits(self, site): ...
"""
CALM = SMALL[: SMALL.index("faults:")] + SMALL[SMALL.index("expect:") :]


@pytest.fixture(autouse=True)
def profile(project: Path) -> Path:
    path = project / "loadprofiles" / "twitter_day.py"
    path.write_text(PROFILE)
    return path


def _error_of(path: Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        make_plan(path)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("a second more", ("rto: 30s", "rto: 31s")),
        ("a second more of holding", ("rto: 30s", "rto: 30s, hold: 4s")),
        ("a fault that is over later", ("lasts: 10s", "lasts: 11s")),
        ("another fault later", ("expect:", "  - {kind: restart, service: us-east-redis, at: 16s}\nexpect:")),
        ("a load that is back later", ("40/s}", "40/s, changes: [{shape: spike, at: 10s, to: 50/s, lasts: 6s}]}")),
        ("a load that settles later", ("40/s}", "40/s, changes: [{shape: ramp, at: 0s, to: 50/s, over: 16s}]}")),
        ("final reads are no load", ("recovery: 20s}", "recovery: 19s, final_reads: 9s}")),
    ],
)
def test_a_recovery_that_could_not_be_seen_to_be_missed_is_refused(
    written: Written, why: str, change: tuple[str, str]
) -> None:
    """The fault is over after 15 s, the load after 50 s: time for 30 s, 3 s to hold, and 2 s of whole seconds."""
    right = SMALL.replace("check: slo, p99: 150ms", "check: recovery, rto: 30s")
    wrong = right.replace(*change)

    assert make_plan(written(right)).expect
    said = _error_of(written(wrong))
    assert "$.expect[0].rto: to see it missed takes" in said, why


def test_how_long_the_recovery_has_to_be_is_said(written: Written) -> None:
    said = _error_of(written(SMALL.replace("check: slo, p99: 150ms", "check: recovery, rto: 40s")))

    assert "takes 45s (40s, 3s of `hold`, 2s of whole seconds), but the load ends 35s after" in said
    assert "Make $.phases.recovery 30s long." in said


NOTHING_HAPPENS = [
    ("recovery, rto: 10s", "there is neither a fault nor a change of the load to recover from"),
    ("alerts, fire: [api_latency]", "there is neither a fault nor a change of the load that an alert could tell of"),
    (
        "fan_out, p95: {home: 1s}, drained_within: 5s",
        "there is neither a fault nor a change of the load after which anything has to drain",
    ),
]


@pytest.mark.parametrize(("check", "sentence"), NOTHING_HAPPENS)
def test_what_nothing_leads_to_is_refused_unless_users_do_something_else(
    written: Written, profile: Path, check: str, sentence: str
) -> None:
    expected = CALM.replace("slo, p99: 150ms", check).replace("recovery: 20s}", "recovery: 20s, final_reads: 5s}")
    path = written(expected)

    assert sentence in _error_of(path)

    profile.write_text(PROFILE + STORM)
    assert make_plan(path).expect


def test_users_who_do_something_else_do_so_until_the_phase_is_over(written: Written, profile: Path) -> None:
    right = CALM.replace("slo, p99: 150ms", "recovery, rto: 15s")
    profile.write_text(PROFILE + STORM)

    assert make_plan(written(right)).expect
    assert "the load ends 20s after the last disturbance" in _error_of(written(right.replace("rto: 15s", "rto: 16s")))


def test_what_is_done_in_a_phase_of_no_length_is_never_done(written: Written, profile: Path) -> None:
    profile.write_text(PROFILE + STORM)
    calm = CALM.replace("disturbed: 30s", "disturbed: 0s")

    told = _error_of(written(calm.replace("slo, p99: 150ms", "alerts, fire: [api_latency], within: 9s")))
    assert "there is neither a fault nor a change of the load that an alert could tell of" in told
    named = _error_of(written(calm.replace("slo, p99: 150ms", "caching, still_shown: {edit: 1s}")))
    assert '"edit" is not an operation of twitter_day.py' in named
