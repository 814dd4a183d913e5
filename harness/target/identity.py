"""What runs a service, told from all that ran or will run under the same name."""

import msgspec


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot be mistaken for a later one with the same number: pid and its start time (Unix seconds,
    as the kernel reports it)."""

    pid: int
    started_at: float


class ContainerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A container and which of its lives: `started_at` as the engine writes it."""

    id: str
    started_at: str
