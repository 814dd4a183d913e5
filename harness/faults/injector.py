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
from harness.experiment import LinkFault, RestartFault, ServiceFault
from harness.faults import catalogue, undo
from harness.faults.attack import Action, Attack, canary_path, depends_on, link_action, service_action
from harness.faults.canary import Reading
from harness.faults.journal import HARMLESS, Journal, Process, RemoveToxic, Snapshot, State, Toxiproxy
from harness.faults.network import LinkAction, restore_proxy, unfreeze
from harness.faults.process import running_process
from harness.faults.toxiproxy import ProxyState, ToxiproxyServer, UnknownOutcomeError, UnreachableError
from harness.plan import PlannedFault
from harness.record import rows
from harness.target.target import RunningTarget

refusals = catalogue.refusals  # what a plan is asked before anything starts belongs to injecting, too

HarnessDefect = Literal["toxic_not_applied", "fault_not_reverted"]
Stage = Literal["before", "during", "after"]

READ_EVERY_S = 1.0
CONFIRM_WITHIN_S = 3.0  # a few readings; a fault that none of them shows is recorded as not confirmed
GONE_WITHIN_S = 10.0  # after that a fault is STUCK
GONE_AFTER_ALL_S = 2.0  # the same when it is tried again
RETRY_S = 0.3
REVERT_TRIES = 3
APPLY_LIMIT_S = 30.0  # how long a revert waits for an injection that is under way
DEADLINE_GRACE_S = 5.0  # past the planned revert; then the guard steps in


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
        self._on_event = on_event
        self._harness_defect = harness_defect
        self._attacks: dict[str, Attack] = {}
        self._servers: dict[str, ToxiproxyServer] = {}
        self._originals: dict[str, dict[str, ProxyState]] = {}  # by URL, then by proxy
        self._unfreezing = asyncio.Lock()

    # --- before ---

    async def prepare(self) -> None:
        """Take the snapshot and a reading "before" of each fault's path. Raise UncleanError when something is left over
        from another run, FaultError when a path does not answer or the target lacks a power."""
        if self._attacks or not self._planned:
            return
        for planned in self._planned:
            if isinstance(planned.fault, LinkFault):
                await self._look_at_toxiproxy(planned.fault.link)
        self._journal.append(self._snapshot())
        attacks = await asyncio.gather(*(self._attack(planned) for planned in self._planned))
        self._attacks = {attack.id: attack for attack in attacks}
        for attack in attacks:
            self._journal.transition(attack.id, State.PLANNED, place=attack.disturbs)

    async def _look_at_toxiproxy(self, link: str) -> None:
        url = self._target.toxiproxy_url(link)
        if url not in self._servers:
            server = ToxiproxyServer(url)
            originals = await asyncio.to_thread(server.proxies)
            _refuse_leftovers(server, originals)
            self._servers[url], self._originals[url] = server, originals
        if link not in self._originals[url]:
            raise FaultError(f"{url} has no proxy {link}: the link is not set up.")

    def _snapshot(self) -> Snapshot:
        running = (running_process(self._target, service) for service in self._target.spec.services)
        services = {process.service: process for process in running if process is not None}
        return Snapshot(
            at_ns=clock.now_ns(),
            toxiproxies=tuple(self._toxiproxy(url, services) for url in self._servers),
            services=tuple(services.values()),
        )

    def _toxiproxy(self, url: str, services: dict[str, Process]) -> Toxiproxy:
        service = self._service_of(url)
        return Toxiproxy(
            url=url,
            service=service,
            process=services.get(service),
            start=self._target.start_command(service),
            proxies=tuple(restore_proxy(url, proxy) for proxy in self._originals[url].values()),
        )

    def _service_of(self, url: str) -> str:
        links = self._target.spec.links
        return next(links[link].toxiproxy for link in links if self._target.toxiproxy_url(link) == url)

    async def _attack(self, planned: PlannedFault) -> Attack:
        path = canary_path(planned, self._target)
        expectation = catalogue.kind_of(planned.fault).expectation(planned.fault)
        attack = Attack(
            planned=planned,
            action=self._action(planned),
            path=path,
            depends=depends_on(planned, self._target),
            expectation=expectation,
            before=await asyncio.to_thread(expectation.before, path),
        )
        reading = await self._read(attack)
        self._record(attack, "before", reading, agrees=reading.gone)
        attack.forget_readings()
        return attack

    def _action(self, planned: PlannedFault) -> Action:
        if not isinstance(planned.fault, LinkFault):
            return service_action(planned, self._target)
        url = self._target.toxiproxy_url(planned.fault.link)
        return link_action(
            planned,
            self._servers[url],
            self._originals[url][planned.fault.link],
            run=self._journal.run,
            is_held_down=lambda: self._is_held_down(planned),
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
                self._edge(attack, "inject", asked_ns, clock.now_ns(), confirmed=False, detail=str(error))
                await self._revert_held(attack)
                raise FaultError(f"{fault_id} on {attack.disturbs} was not injected: {error}") from error
            done_ns = clock.now_ns()
        await self._confirm(attack, asked_ns, done_ns)
        if isinstance(attack.planned.fault, RestartFault):
            await self.revert(fault_id)

    async def _act(self, attack: Attack) -> None:
        """The journal's line, durable; then the fault itself; then the next line."""
        self._refuse_after_takeover(attack)
        if isinstance(attack.planned.fault, ServiceFault):  # an earlier fault may have given the service a new process
            attack.action = service_action(attack.planned, self._target)
        lasts_s = attack.planned.revert_s - attack.planned.inject_s + DEADLINE_GRACE_S
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
            await attack.action.inject()
        except UnknownOutcomeError:
            await self._unfreeze(attack)
            await attack.action.inject()

    def _refuse_after_takeover(self, attack: Attack) -> None:
        reason = self._journal.taken_over()
        if reason is not None:
            raise FaultError(f"{attack.id} may not be injected: the guard has taken over ({reason}).")

    async def watch(self, fault_id: str) -> None:
        """A reading "during" every second until the fault is being reverted; returns then. Run it as a task."""
        attack = self._attacks[fault_id]
        while not await _sleep_unless(attack.reverting, READ_EVERY_S):
            if not self._hidden_by(attack):
                await self._read_during(attack)

    async def revert(self, fault_id: str) -> None:
        """Undo, read back, and read "after" until the effect is gone; nothing happens when it is gone already.
        Raise UncleanError (with the commands that fix it) when that cannot be shown within bounded time."""
        attack = self._attacks[fault_id]
        attack.reverting.set()
        async with attack.changing:
            await self._revert_held(attack)

    async def revert_all(self) -> None:
        """Revert everything that is not verified as reverted, going on after errors; raise one UncleanError at the
        end."""
        attacks = [attack for attack in self._attacks.values() if attack.is_open or attack.changing.locked()]
        results = await asyncio.gather(*(self.revert(attack.id) for attack in attacks), return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        unproven = [attack for attack in self._attacks.values() if attack.state is State.REVERTED]
        for attack in unproven:
            try:
                await self._prove_gone(attack)
            except UncleanError as error:
                errors.append(error)
        if errors:
            raise UncleanError("\n".join(str(error) for error in errors)) from ExceptionGroup("reverting", errors)

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
            if problem:
                self._stuck(attack, problem)
            self._trace(attack, State.REVERTED)
        if not self._others_on(attack):
            await self._prove_gone(attack)
            for other in self._attacks.values():
                if other.state is State.REVERTED and not other.changing.locked() and not self._others_on(other):
                    await self._prove_gone(other)

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
                problem = f"{error} {await self._unfreeze(attack)}"
            except (FaultError, TargetError) as error:
                problem = str(error)
            if not problem:
                return ""
            await asyncio.sleep(RETRY_S)
        return problem

    async def _unfreeze(self, attack: Attack) -> str:
        """End and start the attack's Toxiproxy unless it answers again; other faults on it are put back. Why it did
        not work, or nothing."""
        assert isinstance(attack.action, LinkAction)
        server = attack.action.server
        async with self._unfreezing:
            if await asyncio.to_thread(undo.answers, server.url):
                return ""
            try:
                await unfreeze(
                    self._target, self._service_of(server.url), server, tuple(self._originals[server.url].values())
                )
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
            self._edge(attack, "inject", asked_ns, done_ns, confirmed=False, detail=f"cannot be read back: {error}")
            return
        bites = False
        until_ns = clock.now_ns() + int(CONFIRM_WITHIN_S * clock.NS_PER_S)
        detail = "reads back as asked" if is_there else "does not read back as asked"
        while not bites and not attack.reverting.is_set() and clock.now_ns() < until_ns:
            if hidden_by := self._hidden_by(attack):
                detail += f"; cannot be seen while {hidden_by} is active"
                break
            bites = await self._read_during(attack)
            if not bites:
                await _sleep_unless(attack.reverting, RETRY_S)
        if not bites:
            detail += "; the canary has not shown it"
        self._edge(attack, "inject", asked_ns, done_ns, confirmed=is_there and bites, detail=detail)

    async def _read_during(self, attack: Attack) -> bool:
        reading = await self._read(attack)
        if attack.reverting.is_set():
            return False  # it may have been undone in the middle of the reading, which then shows nothing
        self._record(attack, "during", reading, agrees=reading.bites)
        return reading.bites

    async def _prove_gone(self, attack: Attack) -> None:
        """Read the canary until it shows that the fault is gone; then VERIFIED, else STUCK and UncleanError."""
        attack.forget_readings()
        until_ns = clock.now_ns() + int((GONE_AFTER_ALL_S if attack.was_stuck else GONE_WITHIN_S) * clock.NS_PER_S)
        reading = await self._read(attack)
        while not reading.gone and clock.now_ns() < until_ns:
            await asyncio.sleep(RETRY_S)
            reading = await self._read(attack)
        self._record(attack, "after", reading, agrees=reading.gone)
        if not reading.gone:
            self._stuck(attack, f"its effect is still there: {reading.answer.signature}, {reading.detail}")
        self._trace(attack, State.VERIFIED)
        self._edge(attack, "revert", *attack.reverted_at_ns, confirmed=True, detail="read back, and the canary agrees")

    def _stuck(self, attack: Attack, problem: str) -> None:
        """Loud: in the journal, in the events, and as the error that ends the run with exit code 6."""
        commands = "\n".join(f"  {undo.command(msgspec.to_builtins(data))}" for data in attack.action.undo())
        self._trace(attack, State.STUCK, f"{problem}. By hand: {commands}")
        if not attack.was_stuck:
            self._edge(attack, "revert", *attack.reverted_at_ns, confirmed=False, detail=problem)
        attack.was_stuck = True
        raise UncleanError(
            f"{attack.id} on {attack.disturbs} could not be shown to be reverted: {problem}\n"
            f"Run: gameday revert\nOr by hand:\n{commands}"
        )

    async def _read(self, attack: Attack) -> Reading:
        return await asyncio.to_thread(attack.expectation.read, attack.path, attack.before)

    # --- faults among each other ---

    def _is_held_down(self, planned: PlannedFault) -> bool:
        """Whether another fault wants this link's proxy disabled now."""
        return any(
            other.id != planned.id
            and other.kind.disables
            and other.disturbs == catalogue.place_of(planned.fault)
            and other.state in (State.ARMED, State.INJECTED)
            for other in self._attacks.values()
        )

    def _others_on(self, attack: Attack) -> list[Attack]:
        """Active faults that disturb what this one's canary needs."""
        return [
            other
            for other in self._attacks.values()
            if other is not attack and other.is_active and other.disturbs in attack.depends
        ]

    def _hidden_by(self, attack: Attack) -> str:
        return ", ".join(other.id for other in self._others_on(attack) if other.kind.hides_others)

    # --- what is written down ---

    def _trace(self, attack: Attack, state: State, detail: str = "") -> None:
        """Note a step of reverting. Undoing goes on when the disk is full: the guard then finds the fault open."""
        attack.state = state
        with suppress(FaultError):
            self._journal.transition(attack.id, state, detail=detail)

    def _edge(
        self,
        attack: Attack,
        action: Literal["inject", "revert"],
        asked_ns: int,
        done_ns: int,
        *,
        confirmed: bool,
        detail: str,
    ) -> None:
        self._on_event(
            rows.FaultEdge(
                at_ns=asked_ns, fault=attack.id, action=action, done_ns=done_ns, confirmed=confirmed, detail=detail
            )
        )

    def _record(self, attack: Attack, stage: Stage, reading: Reading, *, agrees: bool) -> None:
        self._on_event(
            rows.CanaryReading(
                at_ns=clock.now_ns(),
                fault=attack.id,
                path=attack.path.name,
                stage=stage,
                connected=reading.answer.connected,
                answered=reading.answer.answered,
                round_trip_s=reading.answer.round_trip_s,
                dose=reading.dose,
                wanted_dose=attack.expectation.wanted_dose,
                dose_unit=attack.expectation.dose_unit,
                agrees=agrees,
                detail=reading.detail,
            )
        )


def _refuse_leftovers(server: ToxiproxyServer, proxies: dict[str, ProxyState]) -> None:
    """Nothing may be on any proxy of a server that we are going to use: we could not tell it from ours afterwards."""
    commands = [
        undo.command(msgspec.to_builtins(RemoveToxic(url=server.url, proxy=proxy.name, toxic=toxic.name)))
        for proxy in proxies.values()
        for toxic in proxy.toxics
    ]
    commands += [
        undo.command({"kind": "restore_proxy", "url": server.url, "proxy": proxy.name, "enabled": True})
        for proxy in proxies.values()
        if not proxy.enabled
    ]
    if commands:
        lines = "\n".join(f"  {command}" for command in commands)
        raise UncleanError(
            f"{server.url} has toxics or disabled proxies already. Run: gameday revert\nOr by hand:\n{lines}"
        )


async def _sleep_unless(event: asyncio.Event, seconds: float) -> bool:
    """Sleep, but wake up at once when the event is set; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
