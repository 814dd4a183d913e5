"""In which order a request is refused or served: shed first, then the flags, then a slot and the handler.

A refusal must be cheap, so it comes before anything is spent.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from reference_system.services.answers import SHED, Answer
from reference_system.services.operations import Call


class Desk(Protocol):
    """What serving needs of a replica."""

    def sheds(self, call: Call) -> bool: ...

    def replaced(self, call: Call) -> Answer | None:
        """The answer instead, if the operation's feature is off."""
        ...

    async def work(self, call: Call) -> Answer:
        """Take a slot and run the handler."""
        ...


Serve = Callable[[Desk, Call], Awaitable[Answer]]


async def shed_before_work(desk: Desk, call: Call) -> Answer:
    if desk.sheds(call):
        return SHED
    replaced = desk.replaced(call)
    if replaced is not None:
        return replaced
    return await desk.work(call)
