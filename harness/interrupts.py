"""Ctrl-C, SIGTERM and a closed terminal, from before the first service starts until the last one has ended: nothing of
ours dies of them.

What a signal leads to depends on what is being done. It is said in one place at a time: who does something that may
not be broken off, or knows a better end for it, leads signals there meanwhile.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from harness.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OUTPUTS = (1, 2)  # file descriptors

Reaction = Callable[[str], None]
Result = TypeVar("Result")


class Interrupts:
    """Where signals lead to now; a reaction is called with a sentence's end, such as "SIGTERM from the operator"."""

    def __init__(self, reaction: Reaction) -> None:
        self._reaction = reaction
        self._shown = [output for output in OUTPUTS if os.isatty(output)]

    def came(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            self._speak_to_nobody()
        self._reaction(f"{number.name} from the operator")

    def _speak_to_nobody(self) -> None:
        """The terminal is gone; whoever wrote to it would fail, in the middle of cleaning up."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in self._shown:
            os.dup2(nowhere, output)
        os.close(nowhere)

    @contextmanager
    def lead_to(self, reaction: Reaction) -> Iterator[None]:
        before, self._reaction = self._reaction, reaction
        try:
            yield
        finally:
            self._reaction = before

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """What is done now goes on to its end."""
        with self.lead_to(lambda reason: None):
            yield


def run_through(work: Callable[[Interrupts], Coroutine[Any, Any, Result]]) -> Result:
    """`asyncio.run`; the first signal that is led nowhere else gives the work up, a second one changes nothing.

    Work that is given up cleans up as it does when it is cancelled, then StoppedError says that it was.
    """
    return asyncio.run(_held(work))


async def _held(work: Callable[[Interrupts], Coroutine[Any, Any, Result]]) -> Result:
    loop = asyncio.get_running_loop()
    reasons: list[str] = []

    def give_up(reason: str) -> None:
        reasons.append(reason)
        if len(reasons) == 1:
            working.cancel()

    interrupts = Interrupts(give_up)
    working = asyncio.ensure_future(work(interrupts))
    heeded = [number for number in SIGNALS if not _is_ignored_hangup(number)]
    for number in heeded:
        loop.add_signal_handler(number, interrupts.came, number)
    try:
        return await working
    except asyncio.CancelledError:
        if not reasons:
            raise
        raise StoppedError(f"{reasons[0]}: what had begun to start is stopped again.") from None
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)


def _is_ignored_hangup(number: signal.Signals) -> bool:
    """Under nohup a closed terminal has to change nothing."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
