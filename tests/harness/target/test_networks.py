"""What a container needs to come back into its networks as it was."""

from harness.target.container_target import NetworkAttachment
from harness.target.networks import attachments_of

ID = "0123456789abcdef"


def test_a_container_in_no_network_has_nothing_to_come_back_to() -> None:
    assert attachments_of({"Id": ID, "NetworkSettings": {"Networks": {}}}) == ()


def test_names_and_a_fixed_address_are_kept_and_the_engines_own_alias_is_not() -> None:
    networks = {
        "default": {"Aliases": ["us-east-api-1", ID[:12], "api"], "IPAMConfig": {"IPv4Address": "10.0.0.9"}},
        "bare": {"Aliases": None, "IPAMConfig": None},
    }

    found = attachments_of({"Id": ID, "NetworkSettings": {"Networks": networks}})

    assert found == (
        NetworkAttachment(network="bare", aliases=(), ipv4_address=""),
        NetworkAttachment(network="default", aliases=("api", "us-east-api-1"), ipv4_address="10.0.0.9"),
    )
