"""A target that runs as local processes: what may be asked of it and done to it, service by service.

What is on disk counts, not what this object remembers: the guard may have started a service meanwhile, and another
process may stop the target that this one started.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from harness.errors import TargetError
from harness.target import process_tree
from harness.target.data_folder import has_data_of, lose_data_of, remove_data_folder, remove_shared_memory
from harness.target.health import is_ready
from harness.target.identity import ProcessIdentity
from harness.target.links import LinkAddresses, ensure_links
from harness.target.running_state import StateFolder
from harness.target.running_target import Exit, Power, ServiceStatus, StartCommand
from harness.target.spawn import noted_identity_in_time, spawn
from harness.target.target import ServiceSpec, TargetSpec

START_TIMEOUT_S = 30.0  # for one service, from its process to its first good answer
READY_POLL_S, LONGEST_POLL_S = 0.05, 0.25
POLL_GROWTH = 1.1  # what takes long is asked less often, or asking would slow it down
DOWN_S = 2.5  # for everybody to end by themselves; then they are killed
LAST_LINES = 15
# What a program needs of its surroundings, besides what the compose file gives it.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME")


class ProcessesTarget:
    """A started target; what is on disk counts, so several processes may hold one of these for the same target."""

    runtime = "processes"
    powers = frozenset({Power.KILL, Power.PAUSE, Power.STOP, Power.RESTART, Power.DESTROY})

    def __init__(self, spec: TargetSpec, folder: StateFolder) -> None:
        state = folder.read()
        if state is None:
            raise TargetError(f"Nothing is up in {folder.folder}: start it with `gameday up`.")
        self.spec = spec
        self._folder = folder
        self._state = state
        self._our_doing: set[str] = set()  # services that this object has ended and not started again
        self._seen: dict[str, tuple[ProcessIdentity, psutil.Process]] = {}
        self._endings: dict[int, str] = {}  # pid → how it ended, for children of ours

    # --- where things are ---

    def address(self, service: str) -> tuple[str, int]:
        return self._state.loopback, self._declared(service).port

    def link_address(self, link: str) -> tuple[str, int]:
        return self._state.loopback, self.spec.links[link].listen

    def toxiproxy_url(self, link: str) -> str:
        host, port = self.address(self.spec.links[link].toxiproxy)
        return f"http://{host}:{port}"

    @property
    def defect(self) -> str | None:
        """The planted defect that it was started with."""
        return self._state.defect

    @property
    def is_up(self) -> bool:
        """Whether any of its services runs; a target that died with its machine has a state folder and nothing else."""
        return any(self.identity(service) for service in self._state.services)

    async def about(self) -> dict[str, str]:
        return {}

    def log_files(self) -> dict[str, Path]:
        return {service: self._folder.log(service) for service in self._state.services}

    def identity(self, service: str) -> ProcessIdentity | None:
        """What is on disk is looked up again only when what was found there has ended: this is asked all the time."""
        if (seen := self._seen.get(service)) and process_tree.runs(seen[1]):
            return seen[0]
        known = self._known(service)
        process = process_tree.running(known)
        if known is None or process is None:
            return None
        self._seen[service] = known, process
        return known

    async def main_pid(self, service: str) -> int | None:
        identity = self.identity(service)
        return identity.pid if identity else None

    def exited(self) -> dict[str, Exit]:
        others = [service for service in self._state.services if service not in self._our_doing]
        ended = [service for service in others if self.identity(service) is None and self._known(service)]
        return {service: Exit(detail=self._ending(service)) for service in ended}

    # --- what can be done to a service ---

    async def kill(self, service: str) -> None:
        self._our_doing.add(service)
        if known := self._known(service):
            await process_tree.kill(known)

    async def pause(self, service: str) -> None:
        identity = self.identity(service)
        if identity is None:
            raise TargetError(f"{service} cannot be paused: it does not run.")
        await process_tree.freeze(identity)

    async def resume(self, service: str) -> None:
        if identity := self.identity(service):
            process_tree.thaw(identity)

    async def stop(self, service: str) -> None:
        self._our_doing.add(service)
        known, state = self._known(service), self._state.services[service]
        if known:
            await process_tree.end(known, with_signal=state.signal, grace_s=state.stop_grace_s)

    async def start(self, service: str) -> None:
        if self.identity(service) is None:
            self.spawn(service)
        await self.until_ready(service)
        self._our_doing.discard(service)

    async def lose_data(self, service: str) -> None:
        """What it has stored is `<data>/<service>`, as the compose file's programs are told to keep it."""
        known = self._known(service)
        if known and process_tree.members(known):
            raise TargetError(f"{service} runs: its data are not taken from under it.")
        await asyncio.to_thread(lose_data_of, Path(self._state.data), service)
        if known:
            remove_shared_memory({known.pid})

    async def has_data(self, service: str) -> bool:
        self._declared(service)
        return has_data_of(Path(self._state.data), service)

    async def is_healthy(self, service: str) -> bool:
        return self.identity(service) is not None and await is_ready(self._declared(service), self._state.loopback)

    def starts_after(self, service: str) -> frozenset[str]:
        return frozenset(self._state.services[service].after)

    def start_command(self, service: str) -> StartCommand:
        state = self._state.services[service]
        return StartCommand(
            argv=state.command,
            env=state.environment,
            cwd=self._state.folder,
            log_path=str(self._folder.log(service)),
            identity_path=str(self._folder.identities_path),
        )

    # --- all of it ---

    async def down(self) -> None:
        """In reverse order, each level at once; who has not ended within `DOWN_S` is killed. Continues after errors."""
        creators = {known.pid for service in self._state.services if (known := self._known(service))}
        self._our_doing.update(self._state.services)
        errors: list[TargetError] = []
        try:
            async with asyncio.timeout(DOWN_S):
                for level in sorted({state.level for state in self._state.services.values()}, reverse=True):
                    await self._each(level, self.stop, errors)
        except TimeoutError:
            await self._each(None, self.kill, errors)
        await self._kill_latecomers()
        if errors:
            raise TargetError("The target is not down: " + " ".join(str(error) for error in errors))
        remove_data_folder(Path(self._state.data))
        remove_shared_memory(creators)
        self._folder.end()

    async def status(self) -> list[ServiceStatus]:
        return list(await asyncio.gather(*(self._status(service) for service in self._state.services)))

    # --- starting, step by step ---

    async def until_ready(self, service: str) -> None:
        """Wait for the first good answer (of a Toxiproxy: for its links too); TargetError if it ends before."""
        pause_s = READY_POLL_S
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while self.identity(service):
                    if await is_ready(self._declared(service), self._state.loopback):
                        break
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * POLL_GROWTH, LONGEST_POLL_S)
                else:
                    raise TargetError(self._obituary(service, f"{self._ending(service)} while it was starting"))
        except TimeoutError:
            late = f"was not healthy within {START_TIMEOUT_S:g} s"
            raise TargetError(self._obituary(service, late)) from None
        links = {name: link for name, link in self.spec.links.items() if link.toxiproxy == service}
        if links:
            host, port = self.address(service)
            await ensure_links(f"http://{host}:{port}", {name: self._link(name) for name in links})

    def spawn(self, service: str) -> None:
        state = self._state.services[service]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        identity = spawn(
            state.command,
            {**inherited, **state.environment},
            folder=Path(self._state.folder),
            log=self._folder.log(service),
            pid_file=self._folder.note(service),
        )
        if identity is None:
            raise TargetError(self._obituary(service, "ended at once"))
        self._folder.started(service, identity)

    # --- inside ---

    def _link(self, name: str) -> LinkAddresses:
        link, host = self.spec.links[name], self._state.loopback
        return LinkAddresses(
            listen=f"{host}:{link.listen}", upstream=f"{host}:{self.spec.services[link.upstream].port}"
        )

    async def _each(self, level: int | None, act: Callable[[str], Awaitable[None]], errors: list[TargetError]) -> None:
        chosen = [name for name, state in self._state.services.items() if level in (None, state.level)]
        outcomes = await asyncio.gather(*(act(service) for service in chosen), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, TargetError):
                errors.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _kill_latecomers(self) -> None:
        """Processes that a starter, killed or not, has begun while we were stopping the others."""
        self._folder.forbid_starts()
        for note in self._folder.last_notes():
            if identity := await noted_identity_in_time(note):
                await process_tree.kill(identity)

    async def _status(self, service: str) -> ServiceStatus:
        identity = self.identity(service)
        family = process_tree.members(identity) if identity else []
        memory_bytes, cpu_s = process_tree.usage(family)
        return ServiceStatus(
            service=service,
            port=self._declared(service).port,
            where=f"pid {identity.pid}" if identity else "",
            state=process_tree.state_word(family),
            healthy=await self.is_healthy(service),
            memory_bytes=memory_bytes,
            cpu_s=cpu_s,
        )

    def _declared(self, service: str) -> ServiceSpec:
        if service not in self._state.services:
            raise TargetError(f'The target runs no service "{service}"; it runs {", ".join(self._state.services)}.')
        return self.spec.services[service]

    def _known(self, service: str) -> ProcessIdentity | None:
        self._declared(service)
        known = self._folder.identity(service)
        if known and (ending := process_tree.reap(known.pid)):
            self._endings[known.pid] = ending
        return known

    def _ending(self, service: str) -> str:
        known = self._known(service)
        return self._endings.get(known.pid, "ended") if known else "never ran"

    def _obituary(self, service: str, what: str) -> str:
        log = self._folder.log(service)
        lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
        return "\n".join([f"{service} {what}. Its log ({log}) ends:", *(f"  {line}" for line in lines or ["(empty)"])])
