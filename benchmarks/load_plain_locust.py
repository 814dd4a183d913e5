"""A locustfile as Locust's manual writes it: the other side of `load_generator.py`'s comparison of CPU per request.

Prints `plain <cpu seconds> <requests>` for what lies between one second after the start and the end.
"""

import resource
from typing import Any

import gevent
from locust import FastHttpUser, constant, events, task


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Caller(FastHttpUser):
    wait_time = constant(0)

    @task
    def calls(self) -> None:
        self.client.get("/")


def begin(environment: Any, **_: Any) -> None:
    def note() -> None:
        environment.at_start = (cpu_s(), environment.stats.total.num_requests)

    gevent.spawn_later(1.0, note)


def end(environment: Any, **_: Any) -> None:
    cpu, requests = environment.at_start
    print("plain", cpu_s() - cpu, environment.stats.total.num_requests - requests, flush=True)


events.test_start.add_listener(begin)  # type: ignore[no-untyped-call] # locust annotates by halves
events.quitting.add_listener(end)  # type: ignore[no-untyped-call] # the same
