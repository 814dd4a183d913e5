"""The Docker runtime with a real engine: what `up` makes, what it may touch, and what `down` leaves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import httpx
import pytest
from pip._internal.models.index import PyPI

from harness.errors import TargetError
from harness.target import docker
from harness.target.docker_target import DockerTarget
from harness.target.engine import Engine, engine_url
from tests.e2e.docker.saved_image import SavedImage
from tests.e2e.docker.system import LOOPBACK, PROJECT, PROJECT_FOLDER, SPEC, SPEC_PATH, WHOLE, snapshot

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def target(state_dir: Path) -> Iterator[DockerTarget]:
    before = snapshot()
    target = asyncio.run(docker.up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    yield target
    asyncio.run(target.down())
    assert snapshot() == before, "down leaves no container, network or volume"


def test_everything_is_healthy_once_up_has_returned(target: DockerTarget) -> None:
    assert set(target.spec.services) == {status.service for status in asyncio.run(target.status())}
    for status in asyncio.run(target.status()):
        assert (status.state, status.healthy) == ("running", True), status
    host, port = target.address("edge")
    assert httpx.get(f"http://{host}:{port}/edge/health", trust_env=False).status_code == 200


def test_the_links_are_as_declared(target: DockerTarget) -> None:
    proxies = httpx.get(f"http://{LOOPBACK}:21474/proxies", trust_env=False).json()

    others = {name for name, link in WHOLE.links.items() if link.toxiproxy == "us-east-toxiproxy"} - set(SPEC.links)
    assert set(proxies) == set(SPEC.links) | others, "also those to regions that are left out: nobody uses them"
    for name, link in SPEC.links.items():
        assert proxies[name]["upstream"] == f"{link.upstream}:{SPEC.services[link.upstream].port}"


def test_nothing_is_published_beyond_loopback_and_no_service_is_root_or_can_write_its_image(
    target: DockerTarget,
) -> None:
    for service in SPEC.services:
        attributes = target.engine.inspect(target.container(service).id)
        for bindings in attributes["NetworkSettings"]["Ports"].values():
            assert {binding["HostIp"] for binding in bindings or ()} <= {LOOPBACK}, service
        assert attributes["Config"]["User"] == "gameday", service
        assert attributes["HostConfig"]["ReadonlyRootfs"], service
        assert attributes["HostConfig"]["CapDrop"] == ["ALL"], service
        assert attributes["HostConfig"]["NanoCpus"] > 0, service
        assert attributes["HostConfig"]["Memory"] > 0, service


def test_no_layer_of_the_image_holds_what_the_build_was_given(target: DockerTarget, tmp_path: Path) -> None:
    saved = SavedImage(asyncio.run(target.about())["image"], tmp_path / "image.tar")

    names = set(saved.names())
    assert PurePosixPath("srv/reference_system/__init__.py") in names, "the layers were looked into"
    given = ("settings.env", "in-build", "private/ca-certificates.crt")
    assert [name for name in names if name.parts[:1] == ("build",) or any(map(name.match, given))] == []
    assert [setting for setting, value in index_urls().items() if saved.holds(value)] == []


def index_urls() -> dict[str, str]:
    """Those that pip was given, which may hold passwords; the usual one is in pip itself."""
    path = PROJECT_FOLDER / "image" / "private" / "settings.env"
    lines = path.read_text().splitlines() if path.exists() else []
    settings = dict(line.split("=", 1) for line in lines if line.startswith(("PIP_INDEX_URL=", "PIP_EXTRA_INDEX_URL=")))
    values = {name: value.strip("'\"") for name, value in settings.items()}
    return {name: value for name, value in values.items() if value and value.rstrip("/") != PyPI.simple_url.rstrip("/")}


def test_another_process_finds_it_and_its_logs(target: DockerTarget, state_dir: Path) -> None:
    again = docker.attach(SPEC, state_dir)

    assert again.is_up
    assert again.identity("edge") == target.identity("edge")
    logs = again.log_files()
    first = logs["us-east-postgres"].read_bytes()
    assert b"database system is ready to accept connections" in first
    assert again.log_files()["us-east-postgres"].read_bytes().startswith(first), "a log only grows"


def test_a_second_system_on_the_same_address_is_refused(target: DockerTarget, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=f"Containers of the project {PROJECT} exist already"):
        asyncio.run(docker.up(SPEC, SPEC_PATH, state_dir=tmp_path, loopback=LOOPBACK))


def test_somebody_elses_container_is_left_alone(target: DockerTarget) -> None:
    stranger = Engine(engine_url(None), "somebody-else")

    with pytest.raises(TargetError, match="is not the project somebody-else's; it is left alone"):
        stranger.inspect(target.container("edge").id)


def test_the_main_process_is_the_services_own_and_not_the_containers_init(target: DockerTarget) -> None:
    def program(service: str) -> str:
        return Path(f"/proc/{asyncio.run(target.main_pid(service))}/cmdline").read_text().replace("\0", " ")

    assert program("us-east-api-1").startswith("python -m reference_system.services.api")
    assert "docker-init" not in program("us-east-redis")


def test_what_it_runs_on_is_told(target: DockerTarget) -> None:
    about = asyncio.run(target.about())

    assert about["docker engine"].startswith("Docker Engine ")
    assert about["docker engine"].endswith(f"({engine_url(None)})")
    assert about["image"].startswith("sha256:")
