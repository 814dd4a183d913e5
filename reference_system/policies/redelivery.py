"""When a post that could not be delivered is tried again, and when it is given up.

For posts that fail by themselves. A store that is away fails all of them and is nobody's fault, so that counts no try.
"""

TRIES = 4
FIRST_WAIT_S = 0.25  # then twice as long each time; all together 1.75 s, less than what counts as an emergency


def wait_s(tried: int) -> float | None:
    """How long to wait after so many tries in vain; None: it is given up."""
    return FIRST_WAIT_S * 2.0 ** (tried - 1) if tried < TRIES else None
