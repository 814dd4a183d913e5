"""The read-your-writes token: which region took a user's write, and when by that region's database.

It travels as `us-east:1795579811.909921` (Unix seconds). Inside it is a whole number of microseconds, as in Postgres,
so that a heartbeat of the same microsecond compares as equal, and no rounding calls a write proven that is not.
"""

import re
from dataclasses import dataclass

from reference_system.policies.regions import Region

US_PER_S = 1_000_000
# Exactly as it is written: digits of ASCII, six after the point. Eleven before it last until the year 5138.
_PATTERN = re.compile(r"([a-z-]{1,32}):([0-9]{1,11})\.([0-9]{6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteToken:
    region: Region
    at_us: int  # since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """No token and not malformed: none was sent."""

    token: WriteToken | None = None
    malformed: bool = False


def written(token: WriteToken) -> str:
    seconds, microseconds = divmod(token.at_us, US_PER_S)
    return f"{token.region}:{seconds}.{microseconds:06d}"


def parsed(text: str | None) -> Parsed:
    """A malformed token is as good as none for the user, who must not pay for it; but somebody should count it."""
    if text is None:
        return Parsed()
    match = _PATTERN.fullmatch(text)
    if match is None or match[1] not in set(Region):
        return Parsed(malformed=True)
    return Parsed(token=WriteToken(region=Region(match[1]), at_us=int(match[2]) * US_PER_S + int(match[3])))
