"""Where a target listens: on an address that nobody outside of this machine can reach."""

from ipaddress import IPv4Address

from harness.errors import ExperimentError


def loopback_address(text: str) -> str:
    """As it is written everywhere, since folders and locks are named after it. ExperimentError for any other address:
    the services of a target let everybody in."""
    try:
        address = IPv4Address(text)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ExperimentError(
            f"--loopback {text[:40]!r} is no loopback address. Expected: 127.0.0.1, or another one up to "
            "127.255.255.254 for a system beside it."
        )
    return str(address)
