"""A plan leaves nothing open: phases, rates and faults stand at absolute times."""

import msgspec
import pytest

from harness.errors import ExperimentError
from harness.experiment.faults import LatencyFault, RestartFault
from harness.experiment.load import Load, Ramp, Spike, Step
from harness.experiment.phases import Phases
from harness.plan import RESTART_DEADLINE_S, phase_spans, planned_faults, rate_segments
from harness.units import PerSecond, Seconds, dec_hook, enc_hook
from tests.harness.simulation import the_target


def load(*changes: Step | Ramp | Spike) -> Load:
    return Load(profile="x", rate=PerSecond(10), changes=changes)


def pieces(*changes: Step | Ramp | Spike) -> list[tuple[float, float, float, float]]:
    segments = rate_segments(load(*changes), disturbed_s=10, end_s=40)
    return [(piece.start_s, piece.end_s, piece.from_per_s, piece.to_per_s) for piece in segments]


def test_phases_follow_each_other_and_empty_ones_are_left_out() -> None:
    spans = phase_spans(Phases(warm_up=Seconds(0), baseline=Seconds(5), disturbed=Seconds(0), recovery=Seconds(2)))

    assert [(span.name, span.start_s, span.end_s) for span in spans] == [("baseline", 0, 5), ("recovery", 5, 7)]


def test_a_run_without_any_phase_is_refused() -> None:
    with pytest.raises(ExperimentError, match="nothing would run"):
        phase_spans(Phases(warm_up=Seconds(0), baseline=Seconds(0)))


@pytest.mark.parametrize(
    ("sentence", "changes", "expected"),
    [
        ("no change is one piece", (), [(0, 40, 10, 10)]),
        ("a step stays", (Step(at=Seconds(5), to=PerSecond(30)),), [(0, 15, 10, 10), (15, 40, 30, 30)]),
        (
            "a ramp moves in a straight line and stays",
            (Ramp(at=Seconds(0), to=PerSecond(50), over=Seconds(10)),),
            [(0, 10, 10, 10), (10, 20, 10, 50), (20, 40, 50, 50)],
        ),
        (
            "a spike comes back to what was before",
            (Step(at=Seconds(0), to=PerSecond(20)), Spike(at=Seconds(5), to=PerSecond(90), lasts=Seconds(5))),
            [(0, 10, 10, 10), (10, 15, 20, 20), (15, 20, 90, 90), (20, 40, 20, 20)],
        ),
        (
            "changes may be written in any order",
            (Step(at=Seconds(20), to=PerSecond(5)), Step(at=Seconds(0), to=PerSecond(20))),
            [(0, 10, 10, 10), (10, 30, 20, 20), (30, 40, 5, 5)],
        ),
    ],
)
def test_the_rate_curve(
    sentence: str, changes: tuple[Step | Ramp | Spike, ...], expected: list[tuple[float, float, float, float]]
) -> None:
    assert pieces(*changes) == expected, sentence


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ((Ramp(at=Seconds(0), to=PerSecond(5), over=Seconds(9)), Step(at=Seconds(3), to=PerSecond(1))), "before"),
        ((Spike(at=Seconds(25), to=PerSecond(5), lasts=Seconds(9)),), "the run ends at 40s"),
    ],
)
def test_a_rate_curve_that_contradicts_itself_is_refused(
    changes: tuple[Step | Ramp | Spike, ...], complaint: str
) -> None:
    with pytest.raises(ExperimentError, match=complaint):
        pieces(*changes)


def test_faults_stand_at_absolute_times_with_a_deadline_and_a_name() -> None:
    latency = LatencyFault(link="a->b", at=Seconds(2), lasts=Seconds(3), latency=Seconds(0.1))
    restart = RestartFault(service="a", at=Seconds(4))

    planned = planned_faults((latency, restart), target=the_target(), disturbed_s=10)

    assert [(fault.id, fault.inject_s, fault.revert_s) for fault in planned] == [
        ("latency-1", 12, 15),
        ("restart-2", 14, 14 + RESTART_DEADLINE_S),
    ]


def test_a_load_reads_back_as_it_was_written() -> None:
    written = msgspec.json.encode(
        load(Ramp(at=Seconds(0.25), to=PerSecond(1 / 3), over=Seconds(90))), enc_hook=enc_hook
    )

    read = msgspec.json.decode(written, type=Load, dec_hook=dec_hook)

    assert read == load(Ramp(at=Seconds(0.25), to=PerSecond(1 / 3), over=Seconds(90)))
