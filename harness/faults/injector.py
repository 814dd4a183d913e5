"""Injects and reverts the planned faults: journal first, then the act, then the proof through the data path.

Nothing counts because an API said so: an injection is confirmed by reading back and by the canary, a fault is VERIFIED
as reverted when the path behaves as before. Faults on one place share one original state, taken in `prepare`; while
another fault still disturbs the path, the proof waits for the last of them. What cannot be shown to be gone is STUCK
and ends in `UncleanError`, with the commands that repair it. What the readings mean for the run is not judged here.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from harness import clock
from harness.errors import FaultError, GamedayError, TargetError, UncleanError
from harness.experiment.faults import KillFault, LinkFault, MomentaryFault, ServiceFault, place_of
from harness.faults import catalogue, undo
from harness.faults.action import Action
from harness.faults.attack import Attack, canary_path, depends_on, link_action, service_action
from harness.faults.journal import HARMLESS, Journal, State
from harness.faults.network import LinkAction
from harness.faults.surroundings import Surroundings
from harness.faults.toxiproxy import UnknownOutcomeError, UnreachableError
from harness.faults.witness import Witness
from harness.plan import PlannedFault
from harness.record import rows
from harness.target.running_target import RunningTarget

refusals = catalogue.refusals  # what a plan is asked before anything starts belongs to injecting, too

HarnessDefect = Literal["toxic_not_applied", "fault_not_reverted"]

READ_EVERY_S = 1.0
READ_PARTS_S = 0.25  # between readings of two parts of one fault: with more than four of them each is read less often
PREPARE_AT_ONCE = 4  # undisturbed round trips are measured; more at a time would disturb each other
CONFIRM_WITHIN_S = 3.0  # a few readings; a fault that none of them shows is recorded as not confirmed
GONE_WITHIN_S = 10.0  # after that a fault is STUCK
GONE_AFTER_ALL_S = 2.0  # the same when it is tried again
RETRY_S = 0.3
REVERT_TRIES = 3
APPLY_LIMIT_S = 30.0  # how long a revert waits for an injection that is under way
DEADLINE_GRACE_S = 5.0  # past the planned revert; then the guard steps in
IN_ORDER_WITHIN_S = 15.0  # how long a service may wait for those that start before it


class Injector:
    """The faults of one run. Every method is safe to repeat; different faults may be handled at the same time."""

    def __init__(
        self,
        target: RunningTarget,
        faults: tuple[PlannedFault, ...],
        journal: Journal,
        *,
        on_event: Callable[[rows.Event], None],
        harness_defect: str | None = None,
    ) -> None:
        self._target = target
        self._planned = faults
        self._journal = journal
        self._harness_defect = harness_defect
        self._surroundings = Surroundings(target)
        self._witness = Witness(on_event)
        self._attacks: dict[str, Attack] = {}
        self._reviving = asyncio.Lock()

    # --- before ---

    async def prepare(self) -> None:
        """Take the snapshot and a reading "before" of each fault's path. Raise UncleanError when something is left over
        from another run, FaultError when a path does not answer or the target lacks a power."""
        if self._attacks or not self._planned:
            return
        for planned in self._planned:
            if isinstance(planned.fault, LinkFault):
                await self._surroundings.look_at(planned.fault.link)
        self._journal.append(self._surroundings.snapshot())
        few = asyncio.Semaphore(PREPARE_AT_ONCE)
        attacks = await asyncio.gather(*(self._attack(planned, few) for planned in self._planned))
        self._attacks = {attack.id: attack for attack in attacks}
        for attack in attacks:
            self._journal.transition(attack.id, State.PLANNED, place=attack.disturbs)

    async def _attack(self, planned: PlannedFault, few: asyncio.Semaphore) -> Attack:
        path = canary_path(planned, self._target)
        expectation = catalogue.kind_of(planned.fault).expectation(planned.fault)
        async with few:
            attack = Attack(
                planned=planned,
                action=self._action(planned),
                path=path,
                depends=depends_on(planned, self._target),
                expectation=expectation,
                before=await asyncio.to_thread(expectation.before, path),
                after=await self._starts_after(planned),
            )
            await self._witness.before(attack)
        return attack

    async def _starts_after(self, planned: PlannedFault) -> frozenset[str]:
        """For one of several services that are killed at the same time."""
        if not planned.part_of or not isinstance(planned.fault, KillFault):
            return frozenset()
        return await asyncio.to_thread(self._target.starts_after, planned.fault.service)

    def _action(self, planned: PlannedFault) -> Action:
        if not isinstance(planned.fault, LinkFault):
            return service_action(planned, self._target)
        server, original = self._surroundings.server_of(planned.fault.link)
        return link_action(
            planned, server, original, run=self._journal.run, is_held_down=lambda: self._is_held_down(planned)
        )

    # --- the acts ---

    async def inject(self, fault_id: str) -> None:
        """Inject, read back, confirm by canary. A restart returns once the service is healthy again, and is then over.
        Raise FaultError when it could not be injected (it has been undone then), or when the guard has taken over;
        UncleanError when undoing failed too."""
        attack = self._attacks[fault_id]
        async with attack.changing:
            if attack.state is not State.PLANNED or attack.reverting.is_set():
                return
            asked_ns = clock.now_ns()
            try:
                await self._act(attack)
            except GamedayError as error:
                self._witness.edge(attack, "inject", asked_ns, clock.now_ns(), confirmed=False, detail=str(error))
                await self._revert_held(attack)
                raise FaultError(f"{fault_id} on {attack.disturbs} was not injected: {error}") from error
            done_ns = clock.now_ns()
        await self._confirm(attack, attack.injected_at_ns or asked_ns, done_ns)
        if isinstance(attack.planned.fault, MomentaryFault):
            await self.revert(fault_id)

    async def _act(self, attack: Attack) -> None:
        """The journal's line, durable; then the fault itself; then the next line."""
        self._refuse_after_takeover(attack)
        if isinstance(attack.planned.fault, ServiceFault):  # an earlier fault may have given the service a new process
            attack.action = service_action(attack.planned, self._target)
        lasts_s = attack.planned.revert_s - attack.planned.inject_s + DEADLINE_GRACE_S
        if attack.planned.part_of:
            lasts_s += IN_ORDER_WITHIN_S
        self._journal.transition(
            attack.id,
            State.ARMED,
            place=attack.disturbs,
            deadline_ns=clock.now_ns() + int(lasts_s * clock.NS_PER_S),
            undo=attack.action.undo(),
            probes=(attack.path.probe(attack.expectation.gone_within_s(attack.before)),),
        )
        attack.state = State.ARMED
        attack.applying = asyncio.create_task(self._apply(attack), name=f"injection of {attack.id}")
        await asyncio.shield(attack.applying)
        self._journal.transition(attack.id, State.INJECTED)
        attack.state = State.INJECTED
        # Subtle: a runner that was stopped between ARMED and the act is taken for dead meanwhile, and the guard has
        # found nothing to revert.
        self._refuse_after_takeover(attack)

    async def _apply(self, attack: Attack) -> None:
        if self._harness_defect == "toxic_not_applied" and isinstance(attack.action, LinkAction):
            return
        try:
            happened_unix_ns = await attack.action.inject()
        except UnknownOutcomeError:
            await self._revive(attack)
            happened_unix_ns = await attack.action.inject()
        if happened_unix_ns is not None:
            attack.injected_at_ns = clock.anchor().monotonic_of(happened_unix_ns)

    def _refuse_after_takeover(self, attack: Attack) -> None:
        reason = self._journal.taken_over()
        if reason is not None:
            raise FaultError(f"{attack.id} may not be injected: the guard has taken over ({reason}).")

    async def watch(self, fault_id: str) -> None:
        """A reading "during" every second until the fault is being reverted; returns then. Run it as a task.

        Parts of one fault take turns, so that thirteen links cut do not cost thirteen connections a second.
        """
        attack = self._attacks[fault_id]
        together = self._injected_with(attack)
        every_s = max(READ_EVERY_S, READ_PARTS_S * len(together))
        wait_s = every_s * (together.index(attack) + 1) / len(together)
        while not await _sleep_unless(attack.reverting, wait_s):
            if not self._hidden_by(attack):
                await self._witness.during(attack)
            wait_s = every_s

    async def revert(self, fault_id: str) -> None:
        """Undo, read back, and read "after" until the effect is gone; nothing happens when it is gone already.
        Raise UncleanError (with the commands that fix it) when that cannot be shown within bounded time."""
        attack = self._attacks[fault_id]
        attack.reverting.set()
        await self._in_order(attack)
        async with attack.changing:
            await self._revert_held(attack)
        for other in self._attacks.values():  # those whose proof has waited for this one's end
            if other.state is State.REVERTED:
                async with other.changing:
                    await self._revert_held(other)

    async def revert_all(self) -> None:
        """Revert everything that is not verified as reverted, going on after errors; raise one UncleanError at the
        end."""
        attacks = [attack for attack in self._attacks.values() if attack.is_open or attack.changing.locked()]
        results = await asyncio.gather(*(self.revert(attack.id) for attack in attacks), return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            raise UncleanError.of(errors) from ExceptionGroup("reverting", errors)

    async def _revert_held(self, attack: Attack) -> None:
        attack.reverting.set()
        if attack.applying is not None and not attack.applying.done():
            await asyncio.wait({attack.applying}, timeout=APPLY_LIMIT_S)
        if attack.state in HARMLESS:
            return
        if attack.state is not State.REVERTED:
            asked_ns = clock.now_ns()
            self._trace(attack, State.REVERTING)
            problem = await self._undo(attack)
            attack.reverted_at_ns = (asked_ns, clock.now_ns())
            attack.undone.set()
            if problem:
                self._stuck(attack, problem)
            self._trace(attack, State.REVERTED)
        await self._prove_gone(attack)

    async def _in_order(self, attack: Attack) -> None:
        """Wait, though not for ever, until the parts that start before this service are back: all at once they would
        take each other's CPU, and one that cannot live without its database would end again."""
        if not attack.is_active:
            return
        needed = [each for each in self._injected_with(attack) if each.disturbs in attack.after and each.is_active]
        with suppress(TimeoutError):
            async with asyncio.timeout(IN_ORDER_WITHIN_S):
                for other in needed:
                    await other.undone.wait()

    async def _undo(self, attack: Attack) -> str:
        """Undo and read back, a few times; what is still wrong."""
        if self._harness_defect == "fault_not_reverted":
            return ""
        problem = ""
        for _ in range(REVERT_TRIES):
            try:
                await attack.action.revert()
                problem = await attack.action.wrong_now()
            except (UnknownOutcomeError, UnreachableError) as error:
                problem = f"{error} {await self._revive(attack)}"
            except (FaultError, TargetError) as error:
                problem = str(error)
            if not problem:
                return ""
            await asyncio.sleep(RETRY_S)
        return problem

    async def _revive(self, attack: Attack) -> str:
        """Make the attack's Toxiproxy answer again and put the other faults on it back; why that failed, or nothing."""
        assert isinstance(attack.action, LinkAction)
        server = attack.action.server
        async with self._reviving:
            try:
                if await self._surroundings.revive(server):
                    for other in self._attacks.values():
                        is_on_it = isinstance(other.action, LinkAction) and other.action.server is server
                        if is_on_it and other.state is State.INJECTED and not other.reverting.is_set():
                            await other.action.inject()
            except (FaultError, TargetError) as error:
                return str(error)
        return ""

    # --- the proof ---

    async def _confirm(self, attack: Attack, asked_ns: int, done_ns: int) -> None:
        """Read back, then read the canary until it shows the fault."""
        pretends = self._harness_defect == "toxic_not_applied" and isinstance(attack.action, LinkAction)
        try:
            is_there = pretends or await attack.action.is_in_place()
        except (FaultError, TargetError) as error:
            self._witness.edge(
                attack, "inject", asked_ns, done_ns, confirmed=False, detail=f"cannot be read back: {error}"
            )
            return
        bites = False
        until_ns = clock.now_ns() + int(CONFIRM_WITHIN_S * clock.NS_PER_S)
        detail = "reads back as asked" if is_there else "does not read back as asked"
        while not bites and not attack.reverting.is_set() and clock.now_ns() < until_ns:
            bites = not self._hidden_by(attack) and await self._witness.during(attack)
            if not bites:
                await _sleep_unless(attack.reverting, RETRY_S)
        if not bites:
            hidden_by = self._hidden_by(attack)
            detail += (
                f"; it cannot be seen while {hidden_by} is active" if hidden_by else "; the canary has not shown it"
            )
        self._witness.edge(attack, "inject", asked_ns, done_ns, confirmed=is_there and bites, detail=detail)

    async def _prove_gone(self, attack: Attack) -> None:
        """Read until the canary shows that the fault is gone: then VERIFIED, else STUCK and UncleanError. While another
        fault disturbs the path nothing can be shown, and the proof waits for that one's end."""
        if self._others_on(attack):
            return
        reading = await self._witness.after(
            attack,
            within_s=GONE_AFTER_ALL_S if attack.was_stuck else GONE_WITHIN_S,
            retry_s=RETRY_S,
            is_disturbed=lambda: bool(self._others_on(attack)),
        )
        if reading is None:
            return
        if not reading.gone:
            self._stuck(attack, f"its effect is still there: {reading.answer.signature}, {reading.detail}")
        self._trace(attack, State.VERIFIED)
        self._witness.edge(
            attack, "revert", *attack.reverted_at_ns, confirmed=True, detail="read back, and the canary agrees"
        )

    def _stuck(self, attack: Attack, problem: str) -> None:
        """Loud: in the journal, in the events, and as the error that ends the run with exit code 6."""
        commands = "\n".join(f"  {undo.command(msgspec.to_builtins(data))}" for data in attack.action.undo())
        self._trace(attack, State.STUCK, f"{problem}. By hand: {commands}")
        if not attack.was_stuck:
            self._witness.edge(attack, "revert", *attack.reverted_at_ns, confirmed=False, detail=problem)
        attack.was_stuck = True
        raise UncleanError(
            f"{attack.id} on {attack.disturbs} could not be shown to be reverted: {problem}\nRun: gameday revert",
            by_hand=commands,
        )

    # --- faults among each other ---

    def _is_held_down(self, planned: PlannedFault) -> bool:
        """Whether another fault wants this link's proxy disabled now."""
        return any(
            other.id != planned.id
            and other.kind.disables
            and other.disturbs == place_of(planned.fault)
            and other.state in (State.ARMED, State.INJECTED)
            for other in self._attacks.values()
        )

    def _injected_with(self, attack: Attack) -> list[Attack]:
        """The parts of its fault that are injected when it is, itself among them."""
        mine = attack.planned
        if not mine.part_of:
            return [attack]
        return [
            other
            for other in self._attacks.values()
            if (other.planned.part_of, other.planned.inject_s) == (mine.part_of, mine.inject_s)
        ]

    def _others_on(self, attack: Attack) -> list[Attack]:
        """Active faults that disturb what this one's canary needs."""
        return [
            other
            for other in self._attacks.values()
            if other is not attack and other.is_active and other.disturbs in attack.depends
        ]

    def _hidden_by(self, attack: Attack) -> str:
        """Active faults beside which this one's dose cannot be measured: those of its own kind add to it."""
        others = self._others_on(attack)
        return ", ".join(other.id for other in others if other.kind.hides_others or other.kind is attack.kind)

    # --- what is written down ---

    def _trace(self, attack: Attack, state: State, detail: str = "") -> None:
        """Note a step of reverting. Undoing goes on when the disk is full: the guard then finds the fault open."""
        attack.state = state
        with suppress(FaultError):
            self._journal.transition(attack.id, state, detail=detail)


async def _sleep_unless(event: asyncio.Event, seconds: float) -> bool:
    """Sleep, but wake up at once when the event is set; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
