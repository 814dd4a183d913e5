"""What every fault can do, whatever it is done to."""

from typing import Protocol

from harness.faults.journal import Undo


class Action(Protocol):
    """How a fault is put into the world and taken out of it again. All raise FaultError or TargetError."""

    @property
    def place(self) -> str: ...

    def undo(self) -> tuple[Undo, ...]:
        """What the guard would have to do; known before anything is done."""
        ...

    async def inject(self) -> int | None:
        """Put it into the world; when that happened, where somebody else says so (Unix nanoseconds)."""
        ...

    async def is_in_place(self) -> bool:
        """Read back: whether it is there now."""
        ...

    async def revert(self) -> None: ...

    async def wrong_now(self) -> str:
        """Read back: what is still not as it was, in words; empty when nothing."""
        ...
