"""Generations of values in Redis: raised whenever a value is forgotten, so that who builds it meanwhile does not store
it.
"""

from reference_system.data.resp import Command

OUTLIVES_S = 60  # whoever is building what it guards


def generation_key(key: str) -> str:
    return f"gen:{key}"


def forget_value(key: str) -> tuple[Command, ...]:
    """The commands after which the value has to be built anew, also where somebody is building it now."""
    generation = generation_key(key)
    return ("INCR", generation), ("EXPIRE", generation, OUTLIVES_S), ("DEL", key)
