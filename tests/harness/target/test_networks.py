"""What a container needs to come back into its networks as it was."""

import pytest

from harness.target.container_target import NetworkAttachment
from harness.target.networks import attachments_of

ID = "0123456789abcdef"


def test_a_container_in_no_network_has_nothing_to_come_back_to() -> None:
    assert attachments_of({"Id": ID, "NetworkSettings": {"Networks": {}}}) == ()


def test_all_that_was_asked_for_is_kept_and_what_the_engine_adds_is_not() -> None:
    asked_for = {
        "IPAMConfig": {"IPv4Address": "10.0.0.9", "IPv6Address": "fd00::9", "LinkLocalIPs": ["169.254.1.1"]},
        "MacAddress": "02:42:0a:00:00:09",
        "DriverOpts": {"mtu": "1400"},
        "Links": ["redis:cache"],
    }
    found_out = {"IPAddress": "10.0.0.9", "GlobalIPv6Address": "fd00::9", "Gateway": "10.0.0.1", "EndpointID": "e"}
    networks = {
        "default": {**asked_for, **found_out, "Aliases": ["us-east-api-1", ID[:12], "api"]},
        "bare": {"Aliases": None, "IPAMConfig": None, "IPAddress": "", "MacAddress": "", "Links": None},
    }

    found = attachments_of({"Id": ID, "NetworkSettings": {"Networks": networks}})

    assert found == (
        NetworkAttachment(network="bare", endpoint={"Aliases": []}),
        NetworkAttachment(network="default", endpoint={**asked_for, "Aliases": ["api", "us-east-api-1"]}),
    )


@pytest.mark.parametrize(
    ("asked_for", "chosen"),
    [
        (None, ("10.0.0.9", "fd00::9")),
        ({}, ("10.0.0.9", "fd00::9")),
        ({"IPv4Address": "10.0.0.9"}, ("fd00::9",)),
        ({"IPv4Address": "10.0.0.9", "IPv6Address": "fd00::9"}, ()),
    ],
)
def test_addresses_that_nobody_asked_for_are_told(asked_for: dict[str, str] | None, chosen: tuple[str, ...]) -> None:
    one = {"Aliases": None, "IPAMConfig": asked_for, "IPAddress": "10.0.0.9", "GlobalIPv6Address": "fd00::9"}

    (found,) = attachments_of({"Id": ID, "NetworkSettings": {"Networks": {"default": one}}})

    assert found.chosen == chosen
