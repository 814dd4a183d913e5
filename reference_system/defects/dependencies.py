"""Defects of how stores are called: circuit breakers, the pool of connections, deadlines; and of what then queues."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from reference_system.data.connection_gate import ConnectionGate
from reference_system.data.writes import Account, Writes
from reference_system.defects.defect import Defect
from reference_system.policies import circuit_breaker, load_shedding
from reference_system.policies.circuit_breaker import OPEN_FOR_S, Observation, State
from reference_system.services.parts import ApiParts

BEAT_S = 1.5 * OPEN_FOR_S  # as long as the pauses are on average
PASSWORD_S = 0.08


def _closes_unseen(state: State, observation: Observation, now_s: float) -> tuple[State, bool]:
    """Open, and after its time closed: the next calls find out."""
    if observation is Observation.PROBE:
        return State(), False
    return circuit_breaker.decide(state, observation, now_s)


def _until_the_beat(draw: float) -> float:
    """On the same beat of the clock in every replica."""
    del draw
    now_s = asyncio.get_running_loop().time()  # the same in all processes of a machine
    return math.ceil((now_s + OPEN_FOR_S) / BEAT_S) * BEAT_S - now_s


class _Leaking(ConnectionGate):
    """A call that fails does not give its connection back."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and error.__cause__ is not None:  # without a cause it was the breaker that refused
            return
        await super().__aexit__(kind, error, traceback)


class _OnePasswordAtATime(Writes):
    """In each replica."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._turn = asyncio.Lock()

    async def login(self, name: str, password: str) -> Account | None:
        async with self._turn:
            await asyncio.sleep(PASSWORD_S)
        return await super().login(name, password)


def _never(*, waiting: int, connections: int, priority: int) -> bool:
    del waiting, connections, priority
    return False


def _our_own(said: str | None, own_s: float) -> float:
    del said
    return own_s


def _with_dependencies(**parts: Any) -> Callable[[ApiParts], ApiParts]:
    return lambda whole: replace(whole, dependencies=replace(whole.dependencies, **parts))


DEFECTS: dict[str, Defect] = {
    "breaker_never_half_opens": Defect(
        breaks="An open circuit breaker lets one probe out and closes when that succeeds; with this it closes by "
        "itself, and everybody's calls find out.",
        api=_with_dependencies(breaker=_closes_unseen),
    ),
    "probes_in_step": Defect(
        breaks="Replicas probe what has failed at times of their own; with this all do at the same ones.",
        api=_with_dependencies(pause_s=_until_the_beat),
    ),
    "leaks_connections": Defect(
        breaks="A connection is given back whatever became of the call; with this it is not where the call failed.",
        api=lambda parts: replace(parts, gate=_Leaking),
    ),
    "one_password_at_a_time": Defect(
        breaks="Logins do not wait for each other; with this a replica looks at twelve passwords a second, in turns.",
        api=lambda parts: replace(parts, writes=_OnePasswordAtATime),
    ),
    "no_pool_shedding": Defect(
        breaks="When all database connections are in use the less important calls are refused; with this all wait.",
        api=lambda parts: replace(parts, pool_refuses=_never),
    ),
    "works_for_nobody": Defect(
        breaks="Nothing more is done for a request that nobody waits for any more; with this it is served to its end.",
        api=lambda parts: replace(parts, patience_s=_our_own),
    ),
    "neither_sheds_nor_drops": Defect(
        breaks="An overload is shed, and who has gone is not served; with this all of it queues, and is tried over and "
        "over.",
        api=lambda parts: replace(parts, shed_ratio=load_shedding.shed_nothing, patience_s=_our_own),
    ),
}
