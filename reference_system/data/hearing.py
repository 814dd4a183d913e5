"""Whether what Redis has of a user is as new as what that user has changed here.

What is changed while Redis is out of reach is brought there by the worker when it is back. So Redis is believed only
once changes have been heard for a while; until then who has to see them asks the database.
"""

import asyncio
import math

BROUGHT_WITHIN_S = 5.0  # after Redis is back; the worker tries again each second or two


class Hearing:
    """Of the changes that are published on a channel of Redis."""

    def __init__(self) -> None:
        self._believed_from_s = math.inf

    @property
    def redis_is_believed(self) -> bool:
        return asyncio.get_running_loop().time() >= self._believed_from_s

    def begins(self) -> None:
        self._believed_from_s = asyncio.get_running_loop().time() + BROUGHT_WITHIN_S

    def ends(self) -> None:
        self._believed_from_s = math.inf
