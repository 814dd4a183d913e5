"""What all types of a target file have in common."""

import msgspec


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every word a person writes must be known."""
