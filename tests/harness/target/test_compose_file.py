import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import ExperimentError
from harness.loader import load_target
from harness.target.compose_file import ComposeService, Condition, Healthcheck, read_compose_file

REPOSITORY = Path(__file__).resolve().parents[3]


def service(tmp_path: Path, text: str, **variables: str) -> ComposeService:
    """The service `a` of a file with this text below `services:`, `  a:`."""
    path = tmp_path / "docker-compose.yml"
    path.write_text(f"services:\n  a:\n{text}")
    return read_compose_file(path, variables).services["a"]


def refusal(tmp_path: Path, text: str, **variables: str) -> str:
    path = tmp_path / "docker-compose.yml"
    path.write_text(text)
    with pytest.raises(ExperimentError) as error:
        read_compose_file(path, variables)
    return str(error.value).removeprefix(f"{path}")


# --- what is understood ---


def test_the_smallest_service_has_a_command_and_nothing_else(tmp_path: Path) -> None:
    assert service(tmp_path, "    command: [true]\n") == ComposeService(
        name="a",
        command=("true",),
        environment={},
        depends_on={},
        healthcheck=None,
        profiles=frozenset(),
        ports=(),
        stop_signal=signal.SIGTERM,
        stop_grace_s=10.0,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python -m server", ("python", "-m", "server")),
        ("sh -c 'echo \"two words\"'", ("sh", "-c", 'echo "two words"')),
        ('[server, -p, 80, "a b"]', ("server", "-p", "80", "a b")),
        ('["${PROGRAM}", "$$HOME"]', ("redis", "$HOME")),
        ("|\n      server\n      --port 80", ("server", "--port", "80")),
    ],
)
def test_a_command_is_words_or_a_text_split_as_a_shell_would(
    tmp_path: Path, text: str, expected: tuple[str, ...]
) -> None:
    assert service(tmp_path, f"    command: {text}\n", PROGRAM="redis").command == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        ("{A: one, B: 2, C: 1.50}", {"A": "one", "B": "2", "C": "1.50"}),
        ('{A: "true", B: ""}', {"A": "true", "B": ""}),
        ("{A: '${HOST:-h}:1', B: $$}", {"A": "127.0.0.2:1", "B": "$"}),
        ("{HOST: , UNSET: null}", {"HOST": "127.0.0.2"}),
        ("[A=one, B=a=b, C=]", {"A": "one", "B": "a=b", "C": ""}),
        ("[HOST, UNSET]", {"HOST": "127.0.0.2"}),
    ],
)
def test_environment_may_be_a_mapping_or_a_list(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    read = service(tmp_path, f"    command: x\n    environment: {text}\n", HOST="127.0.0.2")

    assert read.environment == expected


def test_merge_keys_and_anchors_are_resolved_and_what_is_written_nearer_wins(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("""
x-common: &common {command: common, stop_grace_period: 1s}
x-first: &first {A: first, B: first}
x-second: &second {B: second, C: second, D: second}
services:
  a:
    <<: *common
    environment: {<<: [*first, *second], D: own}
  b:
    <<: *common
    command: own
""")
    services = read_compose_file(path, {}).services

    assert services["a"].command == ("common",)
    assert services["a"].environment == {"A": "first", "B": "first", "C": "second", "D": "own"}
    assert (services["b"].command, services["b"].stop_grace_s) == (("own",), 1.0)


def test_dependencies_order_the_start(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("""
services:
  edge: {command: x, depends_on: [api-1, api-2]}
  api-1: {command: x, depends_on: {db: {condition: service_healthy}}}
  api-2: {command: x, depends_on: {db: {condition: service_started}}}
  db: {command: x, healthcheck: {test: [CMD, "true"]}}
  alone: {command: x}
""")
    compose = read_compose_file(path, {})

    assert compose.start_levels() == [["alone", "db"], ["api-1", "api-2"], ["edge"]]
    assert compose.services["api-1"].depends_on == {"db": Condition.HEALTHY}
    assert compose.services["edge"].depends_on == {"api-1": Condition.STARTED, "api-2": Condition.STARTED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{test: [CMD, ask, me]}", Healthcheck(test=("CMD", "ask", "me"))),
        ("{test: ask me}", Healthcheck(test=("CMD-SHELL", "ask me"))),
        ("{test: [NONE]}", None),
        ("{disable: true}", None),
        (
            "{test: [CMD, x], interval: 1m30s, timeout: 500ms, retries: 3, start_period: 2s}",
            Healthcheck(test=("CMD", "x"), interval_s=90.0, timeout_s=0.5, retries=3, start_period_s=2.0),
        ),
    ],
)
def test_health_checks(tmp_path: Path, text: str, expected: Healthcheck | None) -> None:
    assert service(tmp_path, f"    command: x\n    healthcheck: {text}\n").healthcheck == expected


def test_how_a_service_is_stopped(tmp_path: Path) -> None:
    read = service(tmp_path, "    command: x\n    stop_signal: SIGINT\n    stop_grace_period: 1m\n")

    assert (read.stop_signal, read.stop_grace_s) == (signal.SIGINT, 60.0)


@pytest.mark.parametrize(("chosen", "expected"), [("", {"always"}), ("debug", {"always", "sometimes"})])
def test_a_service_with_profiles_runs_only_when_one_is_chosen(tmp_path: Path, chosen: str, expected: set[str]) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("services:\n  always: {command: x}\n  sometimes: {command: x, profiles: [debug, all]}\n")

    assert set(read_compose_file(path, {}, profiles=frozenset({chosen})).services) == expected


def test_what_only_a_container_needs_is_known_and_changes_nothing(tmp_path: Path) -> None:
    text = (
        "    command: [true]\n    build: .\n    image: x\n    restart: always\n    init: true\n    read_only: true\n"
        "    tmpfs: [/tmp]\n    volumes: ['data:/data']\n    networks: [a]\n    x-ours: 1\n"
        "    deploy: {resources: {limits: {cpus: '0.5'}}}\n"
    )
    assert service(tmp_path, text) == service(tmp_path, "    command: [true]\n")


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", " is empty."),
        ("services: [", " is not valid YAML"),
        ("- a", ":1, the file: must be a mapping"),
        ("x-a: 1", ":1, the file: has no `services`."),
        ("services:\n  a: {command: x}\nservice: 1", ':3, the file: "service" is not known. Did you mean "services"?'),
        ("services: 3", ":1, services: must be a mapping"),
        ("services:\n  a: {}", ":2, services.a: has no `command`"),
        (
            "services:\n  a:\n    comand: x",
            ':3, services.a: "comand" is not known. Did you mean "command"? Known: build,',
        ),
        ("services:\n  a:\n    zzz: x", ':3, services.a: "zzz" is not known. Known: build,'),
        (
            "services:\n  a:\n    command: x\n    entrypoint: y",
            ':4, services.a: "entrypoint" changes what runs and cannot be done without Docker',
        ),
        ("services:\n  a:\n    command: []", ":3, services.a.command: is empty"),
        ("services:\n  a:\n    command: {a: 1}", ":3, services.a.command: must be a text"),
        ("services:\n  a:\n    command:", ":3, services.a.command: must be a text"),
        ("services:\n  a:\n    command: [$UNSET]", ":3, services.a.command[0]: UNSET is not set and has no default"),
        ("services:\n  a:\n    command: x\n    command: y", ':4, services.a: "command" is written twice'),
        (
            "services:\n  a:\n    command: x\n    environment:\n      ON: true",
            ':5, services.a.environment.ON: a bare true is ambiguous: write "true"',
        ),
        ("services:\n  a: {command: x, environment: 3}", ":2, services.a.environment: must be a mapping"),
        ("services:\n  a: {command: x, environment: {A: [1]}}", ":2, services.a.environment.A: must be a text"),
        (
            "services:\n  a: {command: x, depends_on: [c]}\n  b: {command: x}",
            ':2, services.a.depends_on: "c" is not known.',
        ),
        (
            "services:\n  a: {command: x, depends_on: {b: {condition: service_helthy}}}\n  b: {command: x}",
            ':2, services.a.depends_on.b.condition: "service_helthy" is not known. Did you mean "service_healthy"?',
        ),
        (
            "services:\n  a: {command: x, depends_on: {b: {condition: service_healthy}}}\n  b: {command: x}",
            ':2, services.a.depends_on: "b" has no healthcheck, so it would never be healthy',
        ),
        (
            "services:\n  a: {command: x, depends_on: {b: {condition: service_completed_successfully}}}",
            ':2, services.a.depends_on.b.condition: "service_completed_successfully" is not supported without Docker',
        ),
        ("services:\n  a: {command: x, depends_on: {b: {}}}", ":2, services.a.depends_on.b: has no `condition`"),
        (
            "services:\n  a: {command: x, depends_on: {b: {restart: true}}}",
            ':2, services.a.depends_on.b: "restart" is not known.',
        ),
        (
            "services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, depends_on: [a]}",
            "services wait for each other: ",
        ),
        (
            "services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x, profiles: [p]}",
            ':2, services.a.depends_on: "b" is in a profile that is not chosen',
        ),
        ("services:\n  a: {command: x, profiles: p}", ":2, services.a.profiles: must be a list"),
        ("services:\n  a: {command: x, healthcheck: {tests: x}}", '"tests" is not known. Did you mean "test"?'),
        ("services:\n  a: {command: x, healthcheck: {retries: 1}}", ":2, services.a.healthcheck: has no `test`"),
        ("services:\n  a: {command: x, healthcheck: {test: [x]}}", "must begin with CMD, CMD-SHELL or NONE"),
        ("services:\n  a: {command: x, healthcheck: {test: x, interval: 5}}", '"5" is not a duration: write it like'),
        ("services:\n  a: {command: x, healthcheck: {test: x, timeout: 5 s}}", '"5 s" is not a duration'),
        ("services:\n  a: {command: x, healthcheck: {test: x, retries: many}}", '"many" is not a number'),
        ("services:\n  a: {command: x, stop_signal: SIGFOO}", ':2, services.a.stop_signal: "SIGFOO" is not known.'),
        ("services:\n  a: {command: x, ports: ['http']}", ':2, services.a.ports: "http" is not a port'),
        ("services:\n  a: {command: x, ports: ['80-90:80-90']}", '"80-90:80-90" is not a port'),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    message = refusal(tmp_path, text)

    assert complaint in message


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"none\.yml cannot be read: No such file"):
        read_compose_file(tmp_path / "none.yml", {})


# --- ours ---


def our_file(**variables: str) -> dict[str, ComposeService]:
    return read_compose_file(REPOSITORY / "docker-compose.yml", variables).services


OUR_TARGET = load_target(REPOSITORY / "reference_system" / "target.yaml")


def test_our_file_and_target_name_the_same_services_and_ports() -> None:
    services = our_file()

    assert set(services) == set(OUR_TARGET.services)
    for name, declared in OUR_TARGET.services.items():
        own = {services[name].environment.get("PORT"), *services[name].command} - {None}
        assert str(declared.port) in own, name
        links = [link.listen for link in OUR_TARGET.links.values() if link.toxiproxy == name]
        assert set(services[name].ports) == {f"127.0.0.1:{port}:{port}" for port in [declared.port, *links]}


def test_our_toxiproxies_have_the_links_that_the_target_declares() -> None:
    services = our_file(LOOPBACK="127.0.0.12")
    for name in (name for name, service in OUR_TARGET.services.items() if service.role == "toxiproxy"):
        started = {tuple(line.split()) for line in services[name].environment["LINKS"].splitlines()}

        declared = {
            (link_name, f"127.0.0.12:{link.listen}", f"127.0.0.12:{OUR_TARGET.services[link.upstream].port}")
            for link_name, link in OUR_TARGET.links.items()
            if link.toxiproxy == name
        }
        assert started == declared


HEALTH_CHECK = "reference_system/services/healthcheck.sh"


def test_our_health_checks_ask_what_the_target_declares() -> None:
    for name, service in our_file().items():
        check, declared = service.healthcheck, OUR_TARGET.services[name]
        assert check is not None
        protocol = declared.role if declared.role in {"redis", "postgres"} else "http"
        path = [declared.health or "/version"] if protocol == "http" else []
        assert list(check.test[2:]) == [HEALTH_CHECK, protocol, str(declared.port), *path]


def test_without_variables_our_services_find_each_other_by_name_and_with_loopback_there() -> None:
    in_docker, here = our_file(), our_file(LOOPBACK="127.0.0.12", DATA="/tmp/x", DEFECT="slow")

    assert in_docker["us-east-api-1"].environment["REDIS_URL"] == "redis://us-east-toxiproxy:21002/0"
    assert here["us-east-api-1"].environment["REDIS_URL"] == "redis://127.0.0.12:21002/0"
    assert (in_docker["us-east-api-1"].environment["DEFECT"], here["us-east-api-1"].environment["DEFECT"]) == (
        "",
        "slow",
    )
    assert (in_docker["edge"].environment["HOST"], here["edge"].environment["HOST"]) == ("0.0.0.0", "127.0.0.12")


def test_what_may_be_separated_is_reached_only_through_links() -> None:
    services, listens = our_file(), {str(link.listen) for link in OUR_TARGET.links.values()}
    for name, declared in OUR_TARGET.services.items():
        environment = services[name].environment
        match declared.role:
            case "api":
                stores = [
                    environment["REDIS_URL"].split("/")[2],
                    environment["POSTGRES_DSN"].split("@")[1].split("/")[0],
                ]
                elsewhere = environment["PEERS"].split(",")
            case "worker":
                stores, elsewhere = [], environment["PEERS"].split(",")
            case "edge":
                stores, elsewhere = [], environment["GATEWAYS"].split(",")
            case _:
                continue
        ports = {address.rpartition(":")[2] for address in [*stores, *elsewhere]}
        assert ports <= listens, name
        assert len(elsewhere) == len(OUR_TARGET.regions) - (declared.region is not None)


def test_our_regions_are_alike() -> None:
    """But for names, ports and addresses; what leads to the other regions is held by the tests above."""
    written = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    model, *others = OUR_TARGET.regions
    for number, other in enumerate(others, start=1):
        for name in (name for name, service in OUR_TARGET.services.items() if service.region == model):
            there = written[name.replace(model, other)]

            assert _without_peers(there) == _moved(_without_peers(written[name]), number, model, other)


def _without_peers(service: dict[str, Any]) -> str:
    environment = {
        word: text for word, text in service["environment"].items() if word not in {"REGIONS", "PEERS", "LINKS"}
    }
    ports = service["ports"] if len(service["ports"]) == 1 else len(service["ports"])
    return json.dumps({**service, "environment": environment, "ports": ports})


def _moved(text: str, by: int, model: str, other: str) -> str:
    text = re.sub(r"\b21(\d{3})\b", lambda port: f"{21 + by}{port[1]}", text.replace(model, other))
    return re.sub(r'\}\.1([1-8])"', lambda address: f'}}.{1 + 2 * by}{address[1]}"', text)


def test_capacity_and_ladder_are_what_the_target_promises() -> None:
    shedding, ladder = OUR_TARGET.promises.shedding, OUR_TARGET.promises.degradation
    assert shedding
    assert ladder
    services = our_file()
    for name, declared in OUR_TARGET.services.items():
        environment = services[name].environment
        if declared.role == "api":
            assert float(environment["TARGET_RATE"]) == shedding.target_rate_per_replica
            assert float(environment["RATE_WINDOW_S"]) == shedding.rate_window
            assert environment["SHEDDING_POLICY"] == shedding.policy
        if declared.role == "controller":
            assert float(environment["EVALUATION_PERIOD_S"]) == ladder.evaluation_period
            assert float(environment["INPUT_WINDOW_S"]) == ladder.input_window
            assert int(environment["LEAVE_AFTER"]) == ladder.leaves_after


def test_a_part_of_our_file_waits_for_nothing_that_it_leaves_out() -> None:
    part = load_target(REPOSITORY / "reference_system" / "one_region.yaml")

    assert set(read_compose_file(REPOSITORY / "docker-compose.yml", {}).part(part.services).services) == set(
        part.services
    )


@pytest.mark.parametrize(
    ("names", "complaint"),
    [(["a"], "services.a.depends_on: it waits for b"), (["b", "c"], "has no service c, which the target file names")],
)
def test_a_part_that_cannot_stand_alone_is_refused(tmp_path: Path, names: list[str], complaint: str) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("services:\n  a: {command: x, depends_on: [b]}\n  b: {command: x}")

    with pytest.raises(ExperimentError, match=complaint):
        read_compose_file(path, {}).part(names)
