"""The read-your-writes tokens: which regions took a user's writes, and until when by each region's database.

They travel as `us-east:1795579811.909921` (Unix seconds), several with commas between. Inside, a time is a whole number
of microseconds, as in Postgres, so that a heartbeat of the same microsecond compares as equal, and no rounding calls a
write proven that is not. Of a region the newest token says it all. A `!` behind it says that the region's caches could
not be told of the write; such tokens are kept apart, since a newer write that they were told of proves nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reference_system.policies.regions import Region

US_PER_S = 1_000_000
AHEAD_US_AT_MOST = 2 * US_PER_S  # of our clock: regions' clocks differ by less
MOST = 32  # in one header: two tokens of each of four regions, and as many from each of three writes at once
# Exactly as it is written: digits of ASCII, six after the point. Eleven before it last until the year 5138.
_PATTERN = re.compile(r"([a-z-]{1,32}):([0-9]{1,11})\.([0-9]{6})(!?)")
_BETWEEN = re.compile(", ?")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteToken:
    """`told`: the caches of its region were, or it was nothing that they have."""

    region: Region
    at_us: int  # since 1970
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """No tokens and not malformed: none were sent."""

    tokens: tuple[WriteToken, ...] = ()
    malformed: bool = False


def written(tokens: Iterable[WriteToken]) -> str:
    return ",".join(map(_written, tokens))


def parsed(text: str | None, *, now_us: int) -> Parsed:
    """The newest of each region. A malformed token is as good as none for the user, who must not pay for it; but
    somebody should count it. So is one of the future, which no write can have given, and whatever comes with it."""
    if text is None:
        return Parsed()
    found = [_token(part) for part in _BETWEEN.split(text, MOST)]
    tokens = [token for token in found if token is not None and token.at_us <= now_us + AHEAD_US_AT_MOST]
    if len(tokens) < len(found) or len(found) > MOST:
        return Parsed(malformed=True)
    return Parsed(tokens=newest(tokens))


def newest(tokens: Iterable[WriteToken]) -> tuple[WriteToken, ...]:
    """Of each region, and of what its caches were not told."""
    kept = {(token.region, token.told): token for token in sorted(tokens, key=lambda token: token.at_us)}
    return tuple(kept.values())


def _written(token: WriteToken) -> str:
    seconds, microseconds = divmod(token.at_us, US_PER_S)
    return f"{token.region}:{seconds}.{microseconds:06d}{'' if token.told else '!'}"


def _token(text: str) -> WriteToken | None:
    match = _PATTERN.fullmatch(text)
    if match is None or match[1] not in set(Region):
        return None
    at_us = int(match[2]) * US_PER_S + int(match[3])
    return WriteToken(region=Region(match[1]), at_us=at_us, told=not match[4])
