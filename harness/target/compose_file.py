"""Reads the part of a compose file that is needed to run it without Docker, and refuses the rest with file and line.

Understood: `command`, `environment`, `depends_on` with conditions, `healthcheck`, `profiles`, `ports`, `stop_signal`,
`stop_grace_period`, anchors, merge keys, `x-` extensions, and `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`,
`${VAR:?message}`, `${VAR?message}`, `$$`. Known and without meaning for plain processes: `IGNORED`, below. Anything
else is refused, because a word that is skipped silently is a system that was never tested. Stricter than Compose in one
more point: a variable that is neither set nor given a default is an error, not an empty text.
"""

import re
import shlex
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from harness.errors import ExperimentError
from harness.target.yaml_nodes import NodeReader

# How a container is made and confined; a plain process is neither.
IGNORED = frozenset({
    *("build", "image", "platform", "pull_policy", "labels", "logging", "init", "restart", "tty", "stdin_open"),
    *("dns", "dns_opt", "dns_search"),
    *("container_name", "hostname", "expose", "networks", "volumes", "tmpfs", "shm_size", "read_only", "privileged"),
    *("cap_add", "cap_drop", "security_opt", "ulimits", "cpus", "mem_limit", "memswap_limit", "pids_limit", "deploy"),
})  # fmt: skip
UNDERSTOOD = frozenset({
    *("command", "environment", "depends_on", "healthcheck", "profiles", "ports"),
    *("stop_signal", "stop_grace_period"),
})  # fmt: skip
# Compose knows these, and they change what runs: ignoring them would start something else.
REFUSED = frozenset({
    *("entrypoint", "env_file", "extends", "user", "working_dir"),
    *("extra_hosts", "links", "network_mode", "pid", "secrets"),
})  # fmt: skip
TOP_LEVEL = frozenset(["services", "version", "networks", "volumes"])
HEALTHCHECK = frozenset(["test", "interval", "timeout", "retries", "start_period", "disable"])

DEFAULT_STOP_GRACE_S = 10.0  # Compose's own
_PORT = re.compile(r"^(?:(?P<host>[\d.]+|\[[0-9a-f:]+\]):)?(?:(?P<published>\d+):)?(?P<port>\d+)(?:/(?:tcp|udp))?$")


class Condition(StrEnum):
    """What a service waits for in another one before it starts."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """How Docker asks a service whether it is ready. Times in seconds; None where Compose's default applies."""

    test: tuple[str, ...]
    interval_s: float | None = None
    timeout_s: float | None = None
    retries: int | None = None
    start_period_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeService:
    """What one service runs, with every variable already filled in."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    depends_on: dict[str, Condition]
    healthcheck: Healthcheck | None
    profiles: frozenset[str]
    ports: tuple[str, ...]
    stop_signal: signal.Signals
    stop_grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """The services that run with the chosen profiles."""

    path: Path
    services: dict[str, ComposeService]

    def part(self, names: Iterable[str]) -> "ComposeFile":
        """These services alone; ExperimentError for one that is missing, or that waits for one which is left out."""
        chosen = set(names)
        if missing := chosen - set(self.services):
            raise ExperimentError(f"{self.path} has no service {_listed(missing)}, which the target file names.")
        services = {name: service for name, service in self.services.items() if name in chosen}
        for service in services.values():
            if left_out := set(service.depends_on) - chosen:
                raise ExperimentError(
                    f"{self.path}, services.{service.name}.depends_on: it waits for {_listed(left_out)}, which the "
                    "target file does not name."
                )
        return ComposeFile(path=self.path, services=services)

    def start_levels(self) -> list[list[str]]:
        """Services in the order they may start: each group needs only earlier groups."""
        order = TopologicalSorter({name: set(service.depends_on) for name, service in self.services.items()})
        order.prepare()
        levels = []
        while order.is_active():
            level = sorted(order.get_ready())
            order.done(*level)
            levels.append(level)
        return levels


def read_compose_file(
    path: Path, variables: Mapping[str, str], *, profiles: frozenset[str] = frozenset()
) -> ComposeFile:
    """Read, check and interpolate; ExperimentError says where and what instead."""
    nodes = NodeReader(path, variables)
    return _Reader(nodes).file(nodes.root(), profiles)


class _Reader:
    """What each word of a compose file means."""

    def __init__(self, nodes: NodeReader) -> None:
        self._nodes = nodes

    # --- the file and its services ---

    def file(self, root: yaml.Node, profiles: frozenset[str]) -> ComposeFile:
        top = self._nodes.mapping(root, "the file")
        for word, (key, _) in top.items():
            if not word.startswith("x-") and word not in TOP_LEVEL:
                raise self._nodes.unknown(key, "the file", word, TOP_LEVEL)
        if "services" not in top:
            raise self._nodes.error(root, "the file", "has no `services`")
        nodes = self._nodes.mapping(top["services"][1], "services")
        declared = {name: self._service(name, node) for name, (_, node) in nodes.items()}
        chosen = {name: service for name, service in declared.items() if _runs(service, profiles)}
        self._check_dependencies(declared, chosen, {name: node for name, (_, node) in nodes.items()})
        return ComposeFile(path=self._nodes.path, services=chosen)

    def _service(self, name: str, node: yaml.Node) -> ComposeService:
        where = f"services.{name}"
        fields = {word: value for word, (_, value) in self._service_fields(node, where).items()}
        if "command" not in fields:
            raise self._nodes.error(node, where, "has no `command`, and without Docker no image knows one")
        check = fields.get("healthcheck")
        return ComposeService(
            name=name,
            command=self._words(fields["command"], f"{where}.command"),
            environment=dict(self._environment(fields.get("environment"), f"{where}.environment")),
            depends_on=dict(self._depends_on(fields.get("depends_on"), f"{where}.depends_on")),
            healthcheck=self._healthcheck(check, f"{where}.healthcheck") if check else None,
            profiles=frozenset(self._nodes.texts(fields.get("profiles"), f"{where}.profiles")),
            ports=tuple(self._ports(fields.get("ports"), f"{where}.ports")),
            stop_signal=self._signal(fields.get("stop_signal"), f"{where}.stop_signal"),
            stop_grace_s=self._grace(fields.get("stop_grace_period"), f"{where}.stop_grace_period"),
        )

    def _service_fields(self, node: yaml.Node, where: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        fields = self._nodes.mapping(node, where)
        for word, (key, _) in fields.items():
            if word in REFUSED:
                raise self._nodes.error(key, where, f'"{word}" changes what runs and cannot be done without Docker')
            if not word.startswith("x-") and word not in UNDERSTOOD | IGNORED:
                raise self._nodes.unknown(key, where, word, UNDERSTOOD | IGNORED | REFUSED)
        return fields

    def _check_dependencies(
        self, declared: dict[str, ComposeService], chosen: dict[str, ComposeService], nodes: dict[str, yaml.Node]
    ) -> None:
        for service in chosen.values():
            where = f"services.{service.name}.depends_on"
            for name, condition in service.depends_on.items():
                node = nodes[service.name]
                if name not in declared:
                    raise self._nodes.unknown(node, where, name, frozenset(declared))
                if name not in chosen:
                    raise self._nodes.error(node, where, f'"{name}" is in a profile that is not chosen')
                if condition is Condition.HEALTHY and declared[name].healthcheck is None:
                    raise self._nodes.error(node, where, f'"{name}" has no healthcheck, so it would never be healthy')
        try:
            ComposeFile(path=self._nodes.path, services=chosen).start_levels()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise self._nodes.error(
                nodes[error.args[1][0]], "depends_on", f"services wait for each other: {circle}"
            ) from None

    # --- fields ---

    def _words(self, node: yaml.Node, where: str) -> tuple[str, ...]:
        if isinstance(node, yaml.SequenceNode):
            words = tuple(self._nodes.texts(node, where))
        else:
            words = tuple(shlex.split(self._nodes.text(node, where)))
        if not words:
            raise self._nodes.error(node, where, "is empty: expected a program and its arguments")
        return words

    def _environment(self, node: yaml.Node | None, where: str) -> Iterator[tuple[str, str]]:
        if node is None:
            return
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                name, equals, text = self._nodes.text(item, where).partition("=")
                yield from [(name, text)] if equals else self._from_outside(name)
            return
        for name, (_, value) in self._nodes.mapping(node, where).items():
            if value.tag == "tag:yaml.org,2002:null":
                yield from self._from_outside(name)
            elif value.tag == "tag:yaml.org,2002:bool":
                raise self._nodes.error(
                    value, f"{where}.{name}", f'a bare {value.value} is ambiguous: write "{value.value}"'
                )
            else:
                yield name, self._nodes.text(value, f"{where}.{name}")

    def _from_outside(self, name: str) -> list[tuple[str, str]]:
        """A name without a value is passed on from outside, where it is set at all."""
        return [(name, self._nodes.variables[name])] if name in self._nodes.variables else []

    def _depends_on(self, node: yaml.Node | None, where: str) -> Iterator[tuple[str, Condition]]:
        if node is None:
            return
        if isinstance(node, yaml.SequenceNode):
            yield from ((name, Condition.STARTED) for name in self._nodes.texts(node, where))
            return
        for name, (_, value) in self._nodes.mapping(node, where).items():
            fields = self._nodes.mapping(value, f"{where}.{name}")
            for word, (key, _) in fields.items():
                if word != "condition":
                    raise self._nodes.unknown(key, f"{where}.{name}", word, frozenset({"condition"}))
            if not fields:
                raise self._nodes.error(value, f"{where}.{name}", "has no `condition`")
            yield name, self._condition(fields["condition"][1], f"{where}.{name}.condition")

    def _condition(self, node: yaml.Node, where: str) -> Condition:
        word = self._nodes.text(node, where)
        if word == "service_completed_successfully":
            raise self._nodes.error(
                node, where, f'"{word}" is not supported without Docker: every service keeps running'
            )
        if word not in {*Condition}:
            raise self._nodes.unknown(node, where, word, frozenset(Condition))
        return Condition(word)

    def _healthcheck(self, node: yaml.Node, where: str) -> Healthcheck | None:
        fields = self._nodes.mapping(node, where)
        for word, (key, _) in fields.items():
            if word not in HEALTHCHECK:
                raise self._nodes.unknown(key, where, word, HEALTHCHECK)
        values = {word: value for word, (_, value) in fields.items()}
        if "disable" in values and self._nodes.text(values["disable"], f"{where}.disable") == "true":
            return None
        if "test" not in values:
            raise self._nodes.error(node, where, "has no `test`: without Docker there is no image that would bring one")
        test = self._test(values["test"], f"{where}.test")
        times = {
            f"{word}_s": self._nodes.duration(values[word], f"{where}.{word}")
            for word in ("interval", "timeout", "start_period")
            if word in values
        }
        retries = self._nodes.number(values["retries"], f"{where}.retries") if "retries" in values else None
        return None if test == ("NONE",) else Healthcheck(test=test, retries=retries, **times)

    def _test(self, node: yaml.Node, where: str) -> tuple[str, ...]:
        if not isinstance(node, yaml.SequenceNode):
            return ("CMD-SHELL", self._nodes.text(node, where))
        test = tuple(self._nodes.texts(node, where))
        if not test or test[0] not in {"CMD", "CMD-SHELL", "NONE"}:
            raise self._nodes.error(node, where, "must begin with CMD, CMD-SHELL or NONE")
        return test

    def _ports(self, node: yaml.Node | None, where: str) -> Iterator[str]:
        for text in self._nodes.texts(node, where):
            if _PORT.match(text) is None:
                assert node is not None, "texts come from a node"
                raise self._nodes.error(node, where, f'"{text}" is not a port: write it like "127.0.0.1:8080:8080"')
            yield text

    def _signal(self, node: yaml.Node | None, where: str) -> signal.Signals:
        if node is None:
            return signal.SIGTERM
        name = self._nodes.text(node, where)
        try:
            return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
        except KeyError:
            raise self._nodes.unknown(node, where, name, frozenset(signal.Signals.__members__)) from None

    def _grace(self, node: yaml.Node | None, where: str) -> float:
        return DEFAULT_STOP_GRACE_S if node is None else self._nodes.duration(node, where)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _runs(service: ComposeService, profiles: frozenset[str]) -> bool:
    return not service.profiles or bool(service.profiles & profiles)
