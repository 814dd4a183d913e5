"""The line on severity at the top of the page, and the advice that goes with it."""

import re

import msgspec
import pandas as pd

from harness.report.incident import FIRST, Incident, incident_of
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.report import some
from tests.harness.simulation import the_target


def told(run: RunBuilder) -> Incident:
    found = incident_of(run.built())
    assert found is not None
    return found


def test_where_nobody_came_nothing_is_said() -> None:
    assert incident_of(some.an_empty_run()) is None


def test_a_quiet_run_is_no_incident() -> None:
    assert told(a_run()).sentence == "No incident: no user was affected, and nothing was about to."


def test_a_risk_is_named_with_its_time_and_pages_nobody() -> None:
    incident = told(a_run().with_inputs(from_s=31, to_s=33, cpu_ratio=0.8))

    assert incident.sentence.startswith("SEV4: no user was affected, but something might have come of it: us-east-")
    assert "showed ADVISORY at 31.6 s; 55 requests of the lowest priority were refused." in incident.sentence
    assert incident.mitigations == ()


def test_little_harm_has_its_scope_and_pages_nobody() -> None:
    incident = told(a_run().with_errors(from_s=30, to_s=40, share=0.02))

    assert incident.sentence.startswith("SEV3: minor degradation; at worst, ")
    assert "Since 30" in incident.sentence
    assert incident.mitigations == ()


def test_it_is_told_what_hurt() -> None:
    errors = told(a_run().with_errors(from_s=30, to_s=40, share=0.5))
    refusals = told(a_run().with_overload(from_s=30, to_s=50, per_s=400))

    assert re.search(r"; \d+ errors; ", errors.sentence)
    assert re.search(r"; [\d,]+ refusals; ", refusals.sentence)


def test_great_harm_comes_with_what_to_do_first() -> None:
    incident = told(a_run().with_errors(from_s=30, to_s=40))

    assert incident.sentence.startswith("SEV1: more than half of the users affected; ")
    assert incident.first == FIRST
    assert incident.mitigations[0] == "If something was deployed shortly before, roll it back."
    assert len(incident.mitigations) == 4


def test_a_spike_is_answered_by_shedding_harder() -> None:
    incident = told(
        a_run().without_shedding().with_overload(from_s=30, to_s=40, per_s=250).with_errors(from_s=30, to_s=40)
    )

    assert incident.mitigations[0] == "The load was 2.5 times the baseline's: shed harder."


def test_one_region_is_answered_by_its_stand_in() -> None:
    def two_regions(frame: pd.DataFrame) -> pd.DataFrame:
        region = pd.Series(["us-east", "europe"] * (len(frame) // 2), index=frame.index)
        hit = (region == "europe") & frame["scheduled_s"].between(30, 40)
        return frame.assign(region_asked=region, outcome=frame["outcome"].mask(hit, "failed"))

    target = msgspec.structs.replace(the_target(), regions=("us-east", "europe"))
    incident = told(a_run().with_target(target).altering_requests(two_regions))

    assert "only europe (europe " in incident.sentence
    assert incident.mitigations[0] == "It is one region: send the users of europe to its stand-in."


def test_an_error_bar_over_a_bound_is_told() -> None:
    incident = told(a_run().with_errors(from_s=30, to_s=40, share=0.1))

    assert "so SEV3 to SEV2)" in incident.sentence
