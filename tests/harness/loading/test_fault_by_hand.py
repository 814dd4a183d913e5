"""One fault by hand, as it stands in an experiment and without its times."""

import pytest

from harness.errors import ExperimentError
from harness.experiment.faults import PauseFault, RestartFault
from harness.loader import load_fault, load_target
from harness.units import Seconds
from tests.harness.loading.an_experiment import FILES


def test_a_fault_by_hand_begins_at_once_and_lasts_as_long_as_asked() -> None:
    target = load_target(FILES / "target.yaml")

    paused = load_fault("{kind: pause, service: us-east-api-1}", lasts=Seconds(2.0), target=target)
    restarted = load_fault("{kind: restart, service: us-east-api-1}", lasts=Seconds(2.0), target=target)

    assert paused == PauseFault(service="us-east-api-1", at=Seconds(0.0), lasts=Seconds(2.0))
    assert restarted == RestartFault(service="us-east-api-1", at=Seconds(0.0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pause", "a mapping is needed"),
        ("", "nothing but comments"),
        (
            "{kind: pausee, service: us-east-api-1}",
            'inject:1, $.fault.kind: "pausee" is not a fault.\nDid you mean "pause"',
        ),
        ("{kind: pause, service: us-east-api}", 'Did you mean "us-east-api-2"?'),
        ("{kind: pause, servic: us-east-api-1}", '"servic" is not known here'),
        ("{kind: pause, service: us-east-api-1, lasts: 5s}", "Use --lasts"),
        ("{kind: pause, service: [x]}", "a list is not text"),
        ("{kind: [pause]}", "a list is not text"),
        ("{kind: pause", "this is not YAML"),
    ],
)
def test_a_wrong_fault_by_hand_is_told(text: str, sentence: str) -> None:
    target = load_target(FILES / "target.yaml")

    with pytest.raises(ExperimentError) as caught:
        load_fault(text, lasts=Seconds(2.0), target=target)

    assert sentence in str(caught.value)
