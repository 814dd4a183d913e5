"""A target that runs in containers: what may be asked of it and done to it, service by service.

Containers are known by their id, pinned when the target came up; what the engine says counts, not what this object
remembers. Every service is reached at its published port on the target's loopback address.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import docker.errors

from harness.errors import ExperimentError, TargetError
from harness.target import cgroup, networks, process_tree, volumes
from harness.target.compose_command import Compose
from harness.target.compose_file import read_compose_file
from harness.target.container_target import CpuUsage, Limits, MemoryUsage, NetworkAttachment
from harness.target.docker_state import DockerFolder
from harness.target.engine import Engine
from harness.target.engine_events import EngineEvent, EngineEvents
from harness.target.health import is_ready
from harness.target.identity import ContainerIdentity, ProcessIdentity
from harness.target.links import EVERYWHERE, LinkAddresses, ensure_links
from harness.target.project import owner, removal
from harness.target.running_target import Exit, Power, ServiceStatus, StartCommand
from harness.target.target import ServiceSpec, TargetSpec

START_TIMEOUT_S = 40.0
READY_POLL_S = 0.05
ENDED_POLLS = 100
EVENT_TRIES = 10  # the engine's events come some milliseconds after the call that made them
CONFLICT = 409
# Raising one's own process's score needs no right; the eater keeps its own, so that it is not the one to die.
EAT_MEMORY = """
for process in /proc/[0-9]*; do
    [ "$process" = "/proc/$$" ] || echo 1000 > "$process/oom_score_adj"
done 2>/dev/null
eaten=x
while :; do eaten=$eaten$eaten; done
"""
LAST_LINES = 15

Result = TypeVar("Result")


class DockerTarget:
    """A started target; several processes may hold one of these for the same containers."""

    runtime = "docker"
    powers = frozenset(Power)

    def __init__(self, spec: TargetSpec, folder: DockerFolder) -> None:
        state = folder.read()
        if state is None:
            raise TargetError(f"Nothing is up in {folder.folder}: start it with `gameday up --runtime docker`.")
        self.spec = spec
        self.engine = Engine(state.engine, state.project)
        self._folder = folder
        self._state = state
        self._events = EngineEvents(self.engine, {id_: service for service, id_ in state.containers.items()})
        self._main_processes: dict[str, ProcessIdentity] = {}
        self._allowed: dict[str, Limits] = {}  # as they were before anybody changed them
        self._our_doing: set[str] = set()  # services that this object has ended and not started again
        self._excused: dict[str, int] = {}  # service → until when what happened to it was our doing (Unix ns)
        # Each costs a container. Those of a whole region at once took the machine's CPUs from the system for seconds.
        self._at_volumes = asyncio.Lock()

    # --- where things are ---

    @property
    def engine_url(self) -> str:
        return self._state.engine

    def address(self, service: str) -> tuple[str, int]:
        return self._state.loopback, self._declared(service).port

    def link_address(self, link: str) -> tuple[str, int]:
        return self._state.loopback, self.spec.links[link].listen

    def toxiproxy_url(self, link: str) -> str:
        host, port = self.address(self.spec.links[link].toxiproxy)
        return f"http://{host}:{port}"

    @property
    def defect(self) -> str | None:
        return self._state.defect

    @property
    def is_up(self) -> bool:
        """Not where its engine is gone, nor where the project has containers of somebody else by now; TargetError where
        its start was broken off."""
        try:
            found = self.engine.containers()
        except TargetError as error:
            if isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
                return False
            raise
        if not found or not self._are_ours(found):
            return False
        self._refuse_half_started()
        return True

    async def about(self) -> dict[str, str]:
        self._refuse_half_started()
        engine = await asyncio.to_thread(self.engine.info)
        first = await asyncio.to_thread(self._inspect, next(iter(self._state.containers)))
        return {
            "docker engine": engine.sentence(),
            "compose": f"{' '.join(self._state.compose_command)} {await self._compose().version()}",
            "image": first["Image"],
        }

    def log_files(self) -> dict[str, Path]:
        """Each service's log so far, written afresh: the engine keeps the logs, and only ever adds to them."""
        for service, container_id in self._state.containers.items():
            with self.engine.container(container_id) as container:
                text = container.logs(stdout=True, stderr=True)
            path = self._folder.log(service)
            with path.open("r+b" if path.exists() else "wb") as file:  # the same file, so that a mark in it holds
                file.write(text)
                file.truncate()
        return {service: self._folder.log(service) for service in self._state.containers}

    def identity(self, service: str) -> ContainerIdentity | None:
        state = self._inspect(service)["State"]
        if not state["Running"] or state["Restarting"]:  # while its policy waits to restart it, it counts as running
            return None
        return ContainerIdentity(id=self._id(service), started_at=state["StartedAt"])

    async def main_pid(self, service: str) -> int | None:
        """The engine is asked once for each life of a container: its process keeps its number and its start."""
        known = self._main_processes.get(service)
        if known is None or process_tree.running(known) is None:
            inspected = await asyncio.to_thread(self._inspect, service)
            pid, is_init = inspected["State"]["Pid"], bool(inspected["HostConfig"].get("Init"))
            known = await asyncio.to_thread(process_tree.first_child if is_init else process_tree.identity_of, pid)
            if not pid or known is None:
                return None
            self._main_processes[service] = known
        return known.pid

    def container(self, service: str) -> ContainerIdentity:
        """The service's container, running or not."""
        return ContainerIdentity(id=self._id(service), started_at=self._inspect(service)["State"]["StartedAt"])

    def exited(self) -> dict[str, Exit]:
        """Also a container that its restart policy has brought back since: that it died is what counts."""
        self._events.start()
        found: dict[str, Exit] = {}
        killers: set[str] = set()
        for event in self._events.all():
            if event.service not in self.spec.services:  # the project's, and no service: what empties volumes
                continue
            if event.service in self._our_doing or event.unix_ns <= self._excused.get(event.service, 0):
                continue
            if event.action == "kill":  # by a call to the engine, which nobody makes but people and programs
                killers.add(event.service)
            elif event.action == "die":
                by_somebody = event.service in killers
                how = "was ended by somebody's call to the engine" if by_somebody else "ended"
                detail = f"container {self._id(event.service)[:12]} {how}, exit code {event.exit_code}"
                found[event.service] = Exit(detail=detail, by_somebody=by_somebody, unix_ns=event.unix_ns)
        return found

    def _excuse(self, service: str) -> None:
        """What has happened to it so far was our doing."""
        seen = [event.unix_ns for event in self._events.all() if event.service == service]
        self._excused[service] = max(seen, default=0)
        self._our_doing.discard(service)

    def is_paused(self, service: str) -> bool:
        return bool(self._inspect(service)["State"]["Paused"])

    async def happened_unix_ns(self, service: str, actions: tuple[str, ...], *, since_unix_ns: int) -> int | None:
        for _ in range(EVENT_TRIES):
            event = self._events.since(since_unix_ns, service, actions)
            if event is not None:
                return event.unix_ns
            await asyncio.sleep(READY_POLL_S)
        return None

    # --- what can be done to a service ---

    async def kill(self, service: str) -> None:
        self._our_doing.add(service)
        self._events.start()
        before = self._events.last(service, "die")
        await self._act(service, lambda container: container.kill(), done_already=(CONFLICT,))
        # The engine says so by itself; asking it over and over, for a whole region at once, keeps both CPUs busy.
        await self._is_told_of_its_death(service, before, polls=EVENT_TRIES)
        await self._until(service, lambda state: not state["Running"], "ended")

    async def crash(self, service: str) -> None:
        """SIGKILL to everything in the container but its init: the engine sees a crash, and its restart policy acts."""
        await self._die_of(service, "kill -9 -1")

    async def exhaust_memory(self, service: str) -> None:
        """A shell makes the service the kernel's first choice and then eats what memory there is."""
        await self._die_of(service, EAT_MEMORY)

    async def _die_of(self, service: str, script: str) -> None:
        self._our_doing.add(service)
        self._events.start()
        before = self._events.last(service, "die")
        await self._act(service, lambda container: container.exec_run(["/bin/sh", "-c", script], detach=True))
        if not await self._is_told_of_its_death(service, before, polls=ENDED_POLLS):
            raise TargetError(f"{service} has not died of it after {ENDED_POLLS * READY_POLL_S:g} s.")
        self._excuse(service)

    async def _is_told_of_its_death(self, service: str, before: EngineEvent | None, *, polls: int) -> bool:
        """Whether the engine says, within so many polls, that it has died since `before`, the last time that it did."""
        for _ in range(polls):
            if self._events.last(service, "die") != before:
                return True
            await asyncio.sleep(READY_POLL_S)
        return False

    async def pause(self, service: str) -> None:
        await self._act(service, lambda container: container.pause())
        await self._until(service, lambda state: state["Paused"], "paused")

    async def resume(self, service: str) -> None:
        await self._act(service, lambda container: container.unpause(), done_already=(CONFLICT, 500))
        await self._until(service, lambda state: not state["Paused"], "unpaused")

    async def stop(self, service: str) -> None:
        self._our_doing.add(service)
        await self._act(service, lambda container: container.stop(timeout=10))

    async def start(self, service: str) -> None:
        await self._act(service, lambda container: container.start())
        await self.until_ready(service)
        self._excuse(service)

    async def lose_data(self, service: str) -> None:
        """What it has stored is in its named volumes; what else it wrote went with its life."""
        if self.identity(service) is not None:  # looked at again when its turn comes: it may have to wait for others
            raise TargetError(f"{service} runs: its data are not taken from under it.")
        if volumes.folders_of(self._inspect(service)):
            async with self._at_volumes:
                await asyncio.to_thread(volumes.empty, self.engine, self._id(service), name=self.eraser_name(service))

    async def has_data(self, service: str) -> bool:
        if not volumes.folders_of(self._inspect(service)):
            return False
        name = self.eraser_name(service)
        async with self._at_volumes:
            return not await asyncio.to_thread(volumes.are_empty, self.engine, self._id(service), name=name)

    def eraser_name(self, service: str) -> str:
        self._declared(service)
        return f"{self._state.project}-{service}-eraser"

    async def end_eraser(self, service: str) -> None:
        await asyncio.to_thread(volumes.end, self.engine, name=self.eraser_name(service))

    async def is_healthy(self, service: str) -> bool:
        return await is_ready(self._declared(service), self._state.loopback)

    def starts_after(self, service: str) -> frozenset[str]:
        """Read from the compose file, because Compose v1 does not write it on containers."""
        variables = {**os.environ, **self._state.variables}
        try:
            services = read_compose_file(Path(self._state.compose_file), variables).services
        except ExperimentError:
            return frozenset()  # it may say more than local processes understand
        return frozenset(services[service].depends_on) if service in services else frozenset()

    def start_command(self, service: str) -> StartCommand | None:
        """None: a container is started by its id, which the fault's undo holds."""
        return None

    # --- networks and limits ---

    def networks(self, service: str) -> tuple[NetworkAttachment, ...]:
        """What `connect` needs to give the service back its names and addresses."""
        return networks.attachments_of(self._inspect(service))

    async def disconnect(self, service: str, network: str) -> None:
        await asyncio.to_thread(networks.disconnect, self.engine, self._id(service), network)

    async def connect(self, service: str, attachment: NetworkAttachment) -> None:
        await asyncio.to_thread(networks.connect, self.engine, self._id(service), attachment)

    def limits(self, service: str) -> Limits:
        return cgroup.limits_of(self._inspect(service))

    async def limit(self, service: str, limits: Limits) -> None:
        await asyncio.to_thread(cgroup.limit, self.engine, self._id(service), limits)

    def cpu_usage(self, service: str) -> CpuUsage:
        stats = cgroup.stats_of(self.engine, self._id(service))
        return cgroup.cpu_usage(stats, allowed_cpus=self._allowed_to(service).nano_cpus / 1e9)

    def memory_usage(self, service: str) -> MemoryUsage | None:
        stats = cgroup.stats_of(self.engine, self._id(service))
        return cgroup.memory_usage(stats, allowed_bytes=self._allowed_to(service).memory)

    def _allowed_to(self, service: str) -> Limits:
        return self._allowed.setdefault(service, self.limits(service))

    # --- all of it ---

    async def down(self) -> None:
        """Where its containers are gone, networks and volumes; nothing of a project that is somebody else's by now."""
        self._our_doing.update(self._state.containers)
        self._events.close()
        found = await asyncio.to_thread(self.engine.containers)
        if found and not self._are_ours(found):
            self._folder.end()
            return
        await self._compose().down()
        left = await asyncio.to_thread(self.engine.containers)
        if left:
            raise TargetError(f"The target is not down: {', '.join(sorted(left))} are still there.")
        self._folder.end()

    async def status(self) -> list[ServiceStatus]:
        return list(await asyncio.gather(*(self._status(service) for service in self._state.containers)))

    async def until_ready(self, service: str) -> None:
        """Wait for the first good answer (of a Toxiproxy: for its links too); TargetError if it ends before."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self.is_healthy(service):
                    state = (await asyncio.to_thread(self._inspect, service))["State"]
                    if state["Status"] == "exited":
                        raise TargetError(
                            self._obituary(service, f"ended with {state['ExitCode']} while it was starting")
                        )
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            raise TargetError(self._obituary(service, f"was not healthy within {START_TIMEOUT_S:g} s")) from None
        links = {name: link for name, link in self.spec.links.items() if link.toxiproxy == service}
        if links:
            host, port = self.address(service)
            await ensure_links(f"http://{host}:{port}", {name: self._link(name) for name in links})

    # --- inside ---

    def _are_ours(self, found: dict[str, str]) -> bool:
        """Whether the project's containers are those that were started from this state folder."""
        if pinned := set(self._state.containers.values()):
            return not pinned.isdisjoint(found.values())
        project = self._state.project
        whose = owner(project)
        if whose is None:
            raise TargetError(
                f"Nobody has noted who started the containers of the project {project}. "
                f"If they are not somebody else's: {removal(project)}"
            )
        return whose == self._folder.folder

    def _refuse_half_started(self) -> None:
        if not self._state.containers:
            raise TargetError(
                f"{self.spec.name} is not whole ({self._folder.folder}): its start was broken off, or another process "
                "is at it. Run: gameday down"
            )

    def _compose(self) -> Compose:
        return Compose(
            command=self._state.compose_command,
            file=Path(self._state.compose_file),
            project=self._state.project,
            engine=self._state.engine,
            variables=self._state.variables,
        )

    def _link(self, name: str) -> LinkAddresses:
        link = self.spec.links[name]
        return LinkAddresses(
            listen=f"{EVERYWHERE}:{link.listen}", upstream=f"{link.upstream}:{self.spec.services[link.upstream].port}"
        )

    def _declared(self, service: str) -> ServiceSpec:
        if service not in self.spec.services:
            raise TargetError(f'The target runs no service "{service}"; it runs {", ".join(self.spec.services)}.')
        return self.spec.services[service]

    def _id(self, service: str) -> str:
        self._declared(service)
        if service not in self._state.containers:
            raise TargetError(f"{service} has no container yet.")
        return self._state.containers[service]

    def _inspect(self, service: str) -> dict[str, Any]:
        return self.engine.inspect(self._id(service))

    async def _act(self, service: str, act: Callable[[Any], object], *, done_already: tuple[int, ...] = ()) -> None:
        """One call on the service's container; some refusals only say that it has been done."""
        container_id = self._id(service)
        self._events.start()

        def call() -> None:
            with self.engine.container(container_id) as container:
                try:
                    act(container)
                except docker.errors.APIError as error:
                    if error.status_code not in done_already:
                        raise

        await asyncio.to_thread(call)

    async def _until(self, service: str, is_so: Callable[[dict[str, Any]], bool], what: str) -> None:
        for _ in range(ENDED_POLLS):
            if is_so((await asyncio.to_thread(self._inspect, service))["State"]):
                return
            await asyncio.sleep(READY_POLL_S)
        raise TargetError(f"{service} is not {what} after {ENDED_POLLS * READY_POLL_S:g} s.")

    async def _status(self, service: str) -> ServiceStatus:
        attributes = await asyncio.to_thread(self._inspect, service)
        state = attributes["State"]
        memory_bytes, cpu_s = 0, 0.0
        if state["Running"]:
            stats = await asyncio.to_thread(cgroup.stats_of, self.engine, self._id(service))
            memory_bytes, cpu_s = cgroup.memory_bytes(stats), cgroup.cpu_s(stats)
        return ServiceStatus(
            service=service,
            port=self._declared(service).port,
            where=attributes["Id"][:12],
            state="paused" if state["Paused"] else "running" if state["Running"] else "stopped",
            healthy=await self.is_healthy(service),
            memory_bytes=memory_bytes,
            cpu_s=cpu_s,
        )

    def _obituary(self, service: str, what: str) -> str:
        with self.engine.container(self._id(service)) as container:
            text = container.logs(tail=LAST_LINES).decode(errors="replace")
        lines = [f"  {line}" for line in text.splitlines()] or ["  (empty)"]
        return "\n".join([f"{service} {what}. Its log ends:", *lines])
