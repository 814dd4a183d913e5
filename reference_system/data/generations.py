"""Generations of values in Redis: raised whenever a value is forgotten, so that who builds it meanwhile does not store
it.

Where Redis has none it gets one by chance. So none comes back: not after it has ended, and not after Redis has
forgotten everything, when what was built before must neither be stored nor shared.
"""

import secrets

from reference_system.data.resp import Command

FIRST_BITS = 48  # the same twice is once in 300 million million
OUTLIVES_S = 60  # whoever is building what it guards


def generation_key(key: str) -> str:
    return f"gen:{key}"


def seen_generation(generation: str, *, lives_s: int) -> tuple[Command, Command]:
    """The second one's reply is the generation, before which nothing may have been read of what is built."""
    return ("SET", generation, secrets.randbits(FIRST_BITS), "NX", "EX", lives_s), ("GET", generation)


def forget_value(key: str) -> tuple[Command, ...]:
    """The commands after which the value has to be built anew, also where somebody is building it now."""
    generation = generation_key(key)
    return ("INCR", generation), ("EXPIRE", generation, OUTLIVES_S), ("DEL", key)
