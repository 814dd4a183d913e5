"""A part of a target is the whole without some of its regions and promises."""

from pathlib import Path

import msgspec
import pytest

from harness.errors import ExperimentError
from harness.loader import load_target
from tests.harness.loading.an_experiment import ROOT


def test_a_part_of_a_target_has_the_services_and_links_of_its_regions_and_those_of_none() -> None:
    whole = load_target(ROOT / "reference_system" / "target.yaml")

    part = load_target(ROOT / "reference_system" / "one_region.yaml")

    own = {name for name, service in whole.services.items() if service.region in ("us-east", None)}
    assert part.services.keys() == own < whole.services.keys()
    assert set(part.links) == {
        "edge->us-east.gateway",
        "us-east.api->us-east.redis",
        "us-east.api->us-east.postgres",
    }
    assert (part.regions, part.variables, part.part_of) == (("us-east",), {"REGIONS": "us-east"}, "target.yaml")
    assert (part.promises, part.defects, part.compose) == (whole.promises, whole.defects, whole.compose)


def test_a_part_without_a_promise_keeps_the_others() -> None:
    whole = load_target(ROOT / "reference_system" / "target.yaml")

    part = load_target(ROOT / "reference_system" / "unprotected.yaml")

    assert part.promises.shedding is None
    assert part.promises == msgspec.structs.replace(whole.promises, shedding=None)
    assert part.variables["SHEDDING_POLICY"] == "off"


def test_a_part_with_smaller_replicas_sheds_from_a_rate_of_its_own() -> None:
    whole = load_target(ROOT / "reference_system" / "target.yaml").promises

    for name in ("modest_servers", "small_servers"):
        part = load_target(ROOT / "reference_system" / f"{name}.yaml")

        assert part.promises.shedding is not None
        assert whole.shedding is not None
        assert part.promises.shedding.target_rate_per_replica == float(part.variables["TARGET_RATE"])
        own = msgspec.structs.replace(
            part.promises.shedding, target_rate_per_replica=whole.shedding.target_rate_per_replica
        )
        assert msgspec.structs.replace(part.promises, shedding=own) == whole


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        (
            "name: x\npart_of: target.yaml\nregions: [us-east]\nwithout: [sheding]",
            ':4, $.without[0]: "sheding"',
            "shedding",
        ),
        ("name: x\npart_of: other.yaml\nregions: [us-east]", ':2, $.part_of: there is no file "other.yaml"', ""),
        ("name: x\npart_of: target.yaml\nregions:\n  - us-aest", ':4, $.regions[0]: "us-aest" is not a', "us-east"),
        ("name: x\npart_of: target.yaml\nregions: []", ":3, $.regions: a part has at least one region", "us-east"),
        (
            "name: x\npart_of: target.yaml\nregions: [us-east]\ntarget_rate_per_replica: 0/s",
            ":4, $.target_rate",
            "above 0/s",
        ),
        (
            "name: x\npart_of: target.yaml\nregions: [us-east]\ntarget_rate_per_replica: 9/s\nwithout: [shedding]",
            ":4, $.target_rate_per_replica: this target promises no shedding",
            "",
        ),
        ("name: x\npart_of: part.yaml\nregions: [us-east]", '"compose" is missing', ""),
        ("name: x\npart_of: target.yaml\nregions: [us-east]\nlinks: {}", ':4, $.links: "links" is not known', ""),
    ],
)
def test_what_is_wrong_in_a_part_is_told_with_its_line(project: Path, text: str, sentence: str, hint: str) -> None:
    path = project / "reference_system" / "part.yaml"
    path.write_text(text)

    with pytest.raises(ExperimentError) as caught:
        load_target(path)

    assert sentence in str(caught.value)
    assert hint in str(caught.value)
