"""What Ctrl-C, SIGTERM and a closed terminal lead to, with real signals to this very process."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from harness.errors import ExitCode, StoppedError
from harness.interrupts import SIGNALS, Interrupts, run_through

LONG_S = 20.0  # nobody waits for it unless a signal was lost


@pytest.fixture(autouse=True)
def a_terminal_that_can_be_closed() -> Iterator[None]:
    """The tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.01)  # the loop calls the reaction at its next turn


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_gives_the_work_up_and_lets_it_clean_up(number: signal.Signals) -> None:
    done: list[str] = []

    async def work(interrupts: Interrupts) -> None:
        try:
            await send(number)
            await asyncio.sleep(LONG_S)
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    with pytest.raises(StoppedError, match=f"{number.name} from the operator") as stopped:
        run_through(work)

    assert stopped.value.exit_code is ExitCode.STOPPED
    assert done == ["cleaned up"]


def test_a_second_signal_does_not_break_off_the_cleaning_up() -> None:
    done: list[str] = []

    async def work(interrupts: Interrupts) -> None:
        try:
            await send(signal.SIGINT)
            await asyncio.sleep(LONG_S)
        finally:
            await send(signal.SIGINT)
            await send(signal.SIGTERM)
            done.append("cleaned up")

    with pytest.raises(StoppedError):
        run_through(work)

    assert done == ["cleaned up"]


def test_whoever_knows_better_is_asked_instead_and_only_as_long() -> None:
    told: list[str] = []

    async def work(interrupts: Interrupts) -> None:
        with interrupts.lead_to(told.append):
            await send(signal.SIGTERM)
            with interrupts.ignored():
                await send(signal.SIGINT)
            await send(signal.SIGINT)
        await send(signal.SIGTERM)
        await asyncio.sleep(LONG_S)

    with pytest.raises(StoppedError, match="SIGTERM"):
        run_through(work)

    assert told == ["SIGTERM from the operator", "SIGINT from the operator"]


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    async def work(interrupts: Interrupts) -> int:
        return 7

    assert run_through(work) == 7
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_goes_wrong_in_cleaning_up_is_told_and_not_the_signal() -> None:
    async def work(interrupts: Interrupts) -> None:
        try:
            await send(signal.SIGTERM)
            await asyncio.sleep(LONG_S)
        finally:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        run_through(work)


def test_under_nohup_a_closed_terminal_changes_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work(interrupts: Interrupts) -> str:
        await send(signal.SIGHUP)
        return "done"

    assert run_through(work) == "done"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
