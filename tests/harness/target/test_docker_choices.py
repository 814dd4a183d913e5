"""Which engine, which compose command, which names: decided before any container is touched."""

import asyncio
import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExperimentError, TargetError
from harness.faults.procfs import DEAD, stat_of
from harness.target.compose_command import Compose, compose_command
from harness.target.docker import network_of
from harness.target.docker_state import DockerFolder, DockerState
from harness.target.engine import LOCAL, engine_url
from harness.target.project import project_of
from harness.target.runtimes import check_runtime, running
from tests.harness.target.a_region import SPEC

STATE = DockerState(
    engine=LOCAL,
    project="p",
    compose_command=("docker", "compose"),
    compose_file="/x/docker-compose.yml",
    variables={"PUBLISH": "127.0.0.1"},
    loopback="127.0.0.1",
    defect=None,
)


@pytest.fixture(autouse=True)
def no_docker_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.delenv("GAMEDAY_COMPOSE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


# --- which engine ---


def test_the_usual_engine_is_this_machines_own() -> None:
    assert engine_url(None) == LOCAL


def test_docker_host_may_name_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", LOCAL)

    assert engine_url(None) == LOCAL


@pytest.mark.parametrize("elsewhere", ["tcp://10.0.0.1:2376", "ssh://root@prod", "unix:///run/user/1000/docker.sock"])
def test_another_engine_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch, elsewhere: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", elsewhere)

    with pytest.raises(ExperimentError, match=r"\(by DOCKER_HOST\)\. Faults would go there"):
        engine_url(None)


def test_one_of_this_machine_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")

    assert engine_url("unix:///run/user/1000/docker.sock") == "unix:///run/user/1000/docker.sock"


def test_one_of_another_machine_may_not() -> None:
    with pytest.raises(ExperimentError, match="is not an engine of this machine"):
        engine_url("tcp://10.0.0.1:2376")


def a_context(home: Path, name: str, host: str, *, is_current: bool = False) -> None:
    """As `docker context create` and `docker context use` write it."""
    settings = home / ".docker"
    about = settings / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    about.parent.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    about.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    (settings / "config.json").write_text(json.dumps({"currentContext": name} if is_current else {}))


@pytest.mark.parametrize("elsewhere", ["tcp://10.0.0.1:2376", "unix:///run/user/1000/docker.sock"])
def test_a_context_elsewhere_has_to_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    a_context(tmp_path, "prod", elsewhere)
    assert engine_url(None) == LOCAL

    monkeypatch.setenv("DOCKER_CONTEXT", "prod")

    with pytest.raises(
        ExperimentError, match=rf'set to {elsewhere} \(by the context "prod" of DOCKER_CONTEXT\)\. Faults'
    ):
        engine_url(None)
    assert engine_url("unix:///other.sock") == "unix:///other.sock"


def test_so_does_the_current_one(tmp_path: Path) -> None:
    a_context(tmp_path, "prod", "ssh://root@prod", is_current=True)

    with pytest.raises(
        ExperimentError, match=r'set to ssh://root@prod \(by the context "prod"\)\. Faults would go there'
    ):
        engine_url(None)


@pytest.mark.parametrize("named", ["default", "here"])
def test_a_context_may_name_this_machines_own_whatever_the_current_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    a_context(tmp_path, "here", LOCAL)
    a_context(tmp_path, "prod", "ssh://root@prod", is_current=True)
    monkeypatch.setenv("DOCKER_CONTEXT", named)

    assert engine_url(None) == LOCAL


def test_docker_host_comes_before_any_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_context(tmp_path, "prod", "ssh://root@prod", is_current=True)
    monkeypatch.setenv("DOCKER_CONTEXT", "prod")
    monkeypatch.setenv("DOCKER_HOST", LOCAL)

    assert engine_url(None) == LOCAL


def test_a_context_that_there_is_not_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "prod")

    with pytest.raises(ExperimentError, match=r'the context "prod" of DOCKER_CONTEXT, which cannot be found'):
        engine_url(None)


# --- which compose command ---


def test_version_2_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "bin", "docker", "exit 0")
    program(tmp_path / "bin", "docker-compose", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert compose_command() == ("docker", "compose")


def test_then_version_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "bin", "docker", "exit 1")  # it has no such plugin
    program(tmp_path / "bin", "docker-compose", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert compose_command() == ("docker-compose",)


def test_the_operator_may_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_COMPOSE", "/opt/compose/docker-compose --ansi never")

    assert compose_command() == ("/opt/compose/docker-compose", "--ansi", "never")


def test_without_either_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(TargetError, match="--runtime processes"):
        compose_command()


def test_a_call_that_fails_is_quoted_and_the_engine_is_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    says = "engine $DOCKER_HOST, context ${DOCKER_CONTEXT-none}, published on $PUBLISH"
    program(tmp_path / "bin", "compose", f'echo "$@"; echo "{says}"; exit 3')
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:1")
    monkeypatch.setenv("DOCKER_CONTEXT", "prod")
    compose = Compose(
        command=(str(tmp_path / "bin" / "compose"),),
        file=tmp_path / "docker-compose.yml",
        project="p",
        engine=LOCAL,
        variables={"PUBLISH": "127.0.0.9"},
    )

    with pytest.raises(TargetError) as failure:
        asyncio.run(compose.up(["edge"]))

    assert "ended with 3" in str(failure.value)
    assert "--project-name p" in str(failure.value)
    assert f"engine {LOCAL}, context none, published on 127.0.0.9" in str(failure.value)


def test_a_call_that_nobody_waits_for_any_more_is_ended_with_what_it_started(tmp_path: Path) -> None:
    program(tmp_path / "bin", "compose", "sleep 30 & echo $! > started; wait; touch went_on")
    compose = Compose(
        command=(str(tmp_path / "bin" / "compose"),),
        file=tmp_path / "docker-compose.yml",
        project="p",
        engine=LOCAL,
        variables={},
    )

    async def give_up() -> None:
        call = asyncio.create_task(compose.up(["edge"]))
        async with asyncio.timeout(10):
            while not (tmp_path / "started").exists() or not (tmp_path / "started").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        call.cancel()
        await call

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())

    left = stat_of(int((tmp_path / "started").read_text()))
    assert left is None or left.state in DEAD
    assert not (tmp_path / "went_on").exists()


# --- names ---


def test_every_system_has_a_project_and_a_network_of_its_own() -> None:
    addresses = [f"127.0.{third}.{last}" for third in range(4) for last in (1, 2, 51)]

    assert project_of("127.0.0.1") == "gameday-127-0-0-1"
    assert network_of("127.0.0.1") == "172.30.1"
    assert len({project_of(address) for address in addresses}) == len(addresses)
    assert len({network_of(address) for address in addresses}) == len(addresses)


def test_a_runtime_that_there_is_not_gets_a_hint() -> None:
    with pytest.raises(ExperimentError, match=r'"doker" is not a runtime\. Did you mean "docker"\?'):
        check_runtime("doker")


# --- what is on disk ---


def test_the_state_is_read_back_and_hidden_from_others(tmp_path: Path) -> None:
    folder = DockerFolder(tmp_path)
    assert folder.read() is None

    folder.write(msgspec.structs.replace(STATE, containers={"api": "0a1b"}))

    assert folder.read() == msgspec.structs.replace(STATE, containers={"api": "0a1b"})
    assert (tmp_path / "docker.json").stat().st_mode & 0o077 == 0
    folder.end()
    assert folder.read() is None


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    (tmp_path / "docker.json").write_text(json.dumps({"engine": LOCAL}))

    with pytest.raises(TargetError, match="is damaged"):
        DockerFolder(tmp_path).read()


def test_where_the_engine_has_gone_nothing_is_up(tmp_path: Path) -> None:
    DockerFolder(tmp_path).write(msgspec.structs.replace(STATE, engine=f"unix://{tmp_path}/gone.sock"))

    assert running(SPEC, tmp_path) is None
