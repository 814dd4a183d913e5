"""How long caches keep what: a key's own TTL, so that what was stored together does not end together.

What is taken off a TTL follows from the key, so it is the same for every replica and every time; how old a stored value
is can then be told from what is left of its life, and no clock has to be shared.
"""

from zlib import crc32

SPREAD = 0.2  # of a TTL is shared out; nothing lives longer than it is said to


def ttl_ms(key: str, ttl_s: float) -> int:
    """Between (1 - SPREAD) and all of `ttl_s`."""
    return int(1000 * ttl_s * (1 - SPREAD * crc32(key.encode()) / 2**32))


def age_s(key: str, ttl_s: float, left_ms: int) -> float | None:
    """Since it was stored, of a key that has `left_ms` to live; None where it is gone or never ends (negative)."""
    return None if left_ms < 0 else max(0.0, (ttl_ms(key, ttl_s) - left_ms) / 1000)
