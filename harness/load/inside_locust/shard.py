"""One load shard from its spec to its last row: prepares, waits for the zero of the timeline, offers, drains, reports.

Whoever stops it (the driver, a signal, the driver's death) goes through the same door, so that every end leaves a whole
record. Asked once it drains; asked again, or left alone, it gives up what is open at once.
"""

import gc
import logging
import os
import resource
import signal
from pathlib import Path

import gevent
import msgspec
from gevent.event import Event

from harness.clock import NS_PER_S, now_ns
from harness.load.defects import LOAD_SHARD_KILLED, SLOW_GENERATOR, busy_loop
from harness.load.inside_locust.control import Control
from harness.load.inside_locust.dispatcher import Dispatcher
from harness.load.inside_locust.entry import Entry
from harness.load.inside_locust.lobby import Lobby
from harness.load.inside_locust.schedule import draw_schedule
from harness.load.inside_locust.tally import Tally
from harness.load.messages import Begin, Broken, Command, Done, Drained, Ready, ShardSpec, Started
from harness.load.profile import load_profile
from harness.plan import Plan
from harness.record.request_writer import RequestWriter
from harness.record.rows import ErrorClass
from harness.units import dec_hook

LOG = logging.getLogger(__name__)

DRAIN_GRACE_S = 0.5  # after the last deadline, for rows to be made of what it ended


class Shard:
    """Runs in Locust's process; every method runs in some greenlet of it."""

    def __init__(self, spec: ShardSpec) -> None:
        self.finished = Event()
        self._spec = spec
        self._control = Control(spec.control_fd)
        self._begin_ns = 0
        self._begun = Event()
        self._stop_ns: int | None = None
        self._dispatcher: Dispatcher | None = None
        self._reporting = True
        self._preparing: gevent.Greenlet | None = None

    def run(self) -> bool:
        """Everything, once; whether it went well. What goes wrong is told to the driver, and to the log."""
        listener = gevent.spawn(self._control.listen, self._on_command, self._on_gone)
        try:
            self._offer_all()
            return True
        except Exception as error:  # the last one who could tell: whatever it is, the driver has to know
            LOG.exception("the shard broke")
            self._control.say(Broken(at_ns=now_ns(), why=f"{type(error).__name__}: {error}"))
            return False
        finally:
            self.finished.set()
            listener.kill()

    def stop(self, reason: str) -> None:
        """Offer nothing that is due later than now. The second call gives up what is open."""
        if self._stop_ns is None:
            LOG.warning("stopping: %s", reason)
            self._stop_ns = now_ns()
            if self._dispatcher is not None:
                self._dispatcher.stop_ns = self._stop_ns
            self._begun.set()
            if self._preparing is not None:
                self._preparing.kill(block=False)
        elif self._dispatcher is not None:
            self._dispatcher.give_up(ErrorClass.RUN_STOPPED)

    def _on_command(self, command: Command) -> None:
        if isinstance(command, Begin):
            self._begin_ns = command.at_ns
            self._begun.set()
        else:
            self.stop(command.reason)

    def _on_gone(self) -> None:
        """Nobody watches this load any more, and nobody would stop it."""
        self.stop("the driver is gone")
        self.stop("the driver is gone")

    def _offer_all(self) -> None:
        _raise_descriptor_limit()
        spec = self._spec
        plan = msgspec.json.decode(Path(spec.plan_path).read_bytes(), type=Plan, dec_hook=dec_hook)
        writer = RequestWriter(Path(spec.run_folder) / f"requests-{spec.shard}.arrow")
        try:
            dispatcher = self._prepared(plan, writer)
            self._begun.wait()
            if self._begin_ns:
                self._offer(plan, dispatcher, writer)
        finally:
            writer.close()
        self._control.say(Done(at_ns=now_ns(), offered=dispatcher.offered, rows=writer.rows))

    def _prepared(self, plan: Plan, writer: RequestWriter) -> Dispatcher:
        spec, load = self._spec, plan.load
        profile = load_profile(Path(plan.profile_path))
        schedule = draw_schedule(plan, profile, shard=spec.shard, shards=spec.shards)
        entry = Entry(
            spec.entry_url,
            deadline_s=load.deadline,
            run=Path(spec.run_folder).name,
            region_header=plan.target.headers.client_region,
            deadline_header=plan.target.headers.deadline,
        )
        self._tally = Tally()
        dispatcher = self._dispatcher = Dispatcher(
            schedule,
            profile,
            entry,
            writer,
            self._tally,
            header_names=_header_names(plan),
            age_header=plan.target.headers.age.lower(),
            region_asked=plan.target.regions[0] if len(plan.target.regions) == 1 else "",
            in_flight_limit=-(-load.in_flight_limit // spec.shards),
            first_number=spec.shard,
            number_step=spec.shards,
        )
        dispatcher.stop_ns = self._stop_ns
        if profile.prepare is not None:
            self._preparing = gevent.spawn(profile.prepare, Lobby(entry, profile.people.members(load.seed)))
            self._preparing.get()  # raises what it raised
        gc.collect()
        gc.freeze()
        gc.disable()
        self._control.say(Ready(at_ns=now_ns(), arrivals=len(schedule)))
        return dispatcher

    def _offer(self, plan: Plan, dispatcher: Dispatcher, writer: RequestWriter) -> None:
        self._plant_defect(dispatcher, plan)
        seconds = gevent.spawn(self._report_seconds, dispatcher, writer)
        gevent.sleep(max(0.0, (self._begin_ns - now_ns()) / NS_PER_S))
        self._control.say(Started(at_ns=now_ns()))
        dispatcher.offer(self._begin_ns, until_s=plan.duration_s)
        dispatcher.drain(plan.load.deadline + DRAIN_GRACE_S)
        self._control.say(Drained(at_ns=now_ns(), given_up=dispatcher.given_up))
        self._reporting = False
        seconds.join()

    def _report_seconds(self, dispatcher: Dispatcher, writer: RequestWriter) -> None:
        """At each full second: rows to the disk, figures to the driver; and once more at the end."""
        number = 0
        while self._reporting:
            end_ns = self._begin_ns + (number + 1) * NS_PER_S
            while self._reporting and (left_ns := end_ns - now_ns()) > 0:
                gevent.sleep(min(left_ns / NS_PER_S, 0.05))
            self._control.say(self._tally.second(number, in_flight=dispatcher.in_flight))
            while writer.write_batch():
                gevent.sleep(0)
            # All that lived before the load is frozen, so this looks at what a second left behind: a fraction of a
            # millisecond. Never would fill the memory, and Python's own moments cost the generator 25–40 ms.
            gc.collect()
            number += 1

    def _plant_defect(self, dispatcher: Dispatcher, plan: Plan) -> None:
        match self._spec.harness_defect:
            case name if name == SLOW_GENERATOR:
                dispatcher.disturb = busy_loop(self._begin_ns)
            case name if name == LOAD_SHARD_KILLED and self._spec.shard == 0:
                in_s = (self._begin_ns - now_ns()) / NS_PER_S + plan.duration_s / 3
                gevent.spawn_later(max(in_s, 0.0), os.kill, os.getpid(), signal.SIGKILL)
            case _:
                pass


def _header_names(plan: Plan) -> tuple[str, ...]:
    names = plan.target.headers
    read = (
        *(names.served_by, names.region, names.level, names.cache, names.shed, names.disabled_feature),
        *(names.refused, names.banner),
    )
    return tuple(name.lower() for name in read)


def _raise_descriptor_limit() -> None:
    """A connection for each request in flight may be more than the usual soft limit of 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
