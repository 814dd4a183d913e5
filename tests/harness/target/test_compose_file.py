import signal
from pathlib import Path

import pytest

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


def test_our_file_and_target_name_the_same_services_and_ports() -> None:
    spec = load_target(REPOSITORY / "reference_system" / "target.yaml")
    services = our_file()

    assert set(services) == set(spec.services)
    for name, declared in spec.services.items():
        own = {services[name].environment.get("PORT"), *services[name].command} - {None}
        assert str(declared.port) in own, name
        links = [link.listen for link in spec.links.values() if link.toxiproxy == name]
        assert set(services[name].ports) == {f"127.0.0.1:{port}:{port}" for port in [declared.port, *links]}


HEALTH_CHECK = "reference_system/services/healthcheck.sh"


def test_our_health_checks_ask_what_the_target_declares() -> None:
    spec = load_target(REPOSITORY / "reference_system" / "target.yaml")
    for name, service in our_file().items():
        check, declared = service.healthcheck, spec.services[name]
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


def test_api_replicas_reach_their_stores_only_through_links() -> None:
    spec = load_target(REPOSITORY / "reference_system" / "target.yaml")
    listens = {str(link.listen) for link in spec.links.values()}
    for name in ("us-east-api-1", "us-east-api-2"):
        environment = our_file()[name].environment
        ports = {environment["REDIS_URL"].split(":")[2].split("/")[0], environment["POSTGRES_DSN"].split(":")[2][:5]}
        assert ports <= listens
    assert our_file()["edge"].environment["GATEWAYS"].split(":")[1] in listens


def test_capacity_and_ladder_are_what_the_target_promises() -> None:
    spec = load_target(REPOSITORY / "reference_system" / "target.yaml")
    shedding, ladder = spec.promises.shedding, spec.promises.degradation
    assert shedding
    assert ladder
    services = our_file()
    for name in ("us-east-api-1", "us-east-api-2"):
        environment = services[name].environment
        assert float(environment["TARGET_RATE"]) == shedding.target_rate_per_replica
        assert float(environment["RATE_WINDOW_S"]) == shedding.rate_window
        assert environment["SHEDDING_POLICY"] == shedding.policy
    controller = services["us-east-controller"].environment
    assert float(controller["EVALUATION_PERIOD_S"]) == ladder.evaluation_period
    assert float(controller["INPUT_WINDOW_S"]) == ladder.input_window
    assert int(controller["LEAVE_AFTER"]) == ladder.leaves_after
