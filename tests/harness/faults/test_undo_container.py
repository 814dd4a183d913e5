"""What undoes a fault on a container when its runner is dead: asked of an engine by the standard library alone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.faults import undo, undo_container
from tests.harness.faults.fake_engine import FakeEngine, fake_engine

ID = "0a1b2c3d4e5f" * 5
ENDPOINT = {
    "Aliases": ["api"],
    "IPAMConfig": {"IPv4Address": "172.30.1.14", "IPv6Address": "fd00::14", "LinkLocalIPs": ["169.254.1.1"]},
    "MacAddress": "02:42:ac:1e:01:0e",
    "DriverOpts": {"mtu": "1400"},
    "Links": ["redis:cache"],
}
ATTACHED = {"network": "net", "endpoint": ENDPOINT}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with tempfile.TemporaryDirectory() as folder, fake_engine(Path(folder)) as engine:
        yield engine


def undo_of(engine: FakeEngine, kind: str, **more: object) -> dict[str, Any]:
    return {"kind": kind, "service": "api", "engine": engine.url, "id": ID, **more}


def test_a_container_that_was_killed_is_started_once(engine: FakeEngine) -> None:
    engine.add(ID, running=False)
    data = undo_of(engine, "start_container")

    assert undo.wrong_now(data) == "api does not run"
    undo.execute(data)
    undo.execute(data)  # 304: it runs already

    assert undo.wrong_now(data) == ""


def test_whatever_empties_a_volume_is_ended_before_the_service_starts(engine: FakeEngine) -> None:
    engine.add("gameday-api-eraser")
    data = undo_of(engine, "remove_container", name="gameday-api-eraser")

    assert undo.wrong_now(data) == "gameday-api-eraser is still emptying the volumes of api"
    undo.execute(data)
    undo.execute(data)  # 404: it is gone already

    assert undo.wrong_now(data) == ""
    assert engine.containers == {}


def test_a_paused_container_goes_on(engine: FakeEngine) -> None:
    engine.add(ID, paused=True)
    data = undo_of(engine, "unpause_container")

    assert undo.wrong_now(data) == "api is paused"
    undo.execute(data)

    assert undo.wrong_now(data) == ""


def test_a_container_gets_all_of_its_attachment_back(engine: FakeEngine) -> None:
    engine.add(ID)
    data = undo_of(engine, "connect_network", **ATTACHED)

    assert undo.wrong_now(data) == "api is not in net"
    undo.execute(data)

    assert undo.wrong_now(data) == ""
    attached = engine.containers[ID]["NetworkSettings"]["Networks"]["net"]
    assert {**attached, **ENDPOINT, "Aliases": ["api", ID[:12]]} == attached


@pytest.mark.parametrize(
    "other",
    [
        {"Aliases": []},
        {"IPAMConfig": {"IPv4Address": "172.30.1.99"}},
        {"IPAMConfig": {"IPv4Address": "172.30.1.14"}},
        {"MacAddress": "02:42:ac:1e:01:63"},
        {"DriverOpts": None},
        {"Links": None},
    ],
    ids=str,
)
def test_one_that_somebody_has_put_back_otherwise_is_put_back_as_it_was(
    engine: FakeEngine, other: dict[str, Any]
) -> None:
    engine.add(ID)
    engine.attach(ID, "net", {**ENDPOINT, **other})
    data = undo_of(engine, "connect_network", **ATTACHED)

    assert undo.wrong_now(data) == "api is in net, but not as it was"
    undo.execute(data)

    assert undo.wrong_now(data) == ""


def test_a_container_that_has_ended_needs_no_mac_address_to_be_as_it_was(engine: FakeEngine) -> None:
    engine.add(ID, running=False)
    engine.attach(ID, "net", {**ENDPOINT, "MacAddress": ""})

    assert undo.wrong_now(undo_of(engine, "connect_network", **ATTACHED)) == ""


@pytest.mark.parametrize("kind", ["start_container", "unpause_container", "connect_network"])
def test_of_a_container_that_is_gone_nothing_is_wrong(engine: FakeEngine, kind: str) -> None:
    assert undo.wrong_now(undo_of(engine, kind, **ATTACHED)) == ""


def test_what_the_engine_refuses_is_an_error_with_its_words(engine: FakeEngine) -> None:
    engine.add(ID, running=False)
    engine.refuses = True

    with pytest.raises(OSError, match="status 500: not today"):
        undo.execute(undo_of(engine, "start_container"))


def test_without_an_engine_everything_is_an_error_and_no_container_counts_as_gone(tmp_path: Path) -> None:
    nobody = {"engine": f"unix://{tmp_path}/nobody.sock", "id": ID, "service": "api"}

    with pytest.raises(OSError, match="No such file"):
        undo.wrong_now({"kind": "start_container", **nobody})
    assert undo_container.is_there(nobody)


def test_a_frozen_server_is_ended_and_started(engine: FakeEngine) -> None:
    engine.add(ID, paused=False)

    undo_container.kill_and_start({"engine": engine.url, "id": ID, "service": "toxiproxy"})

    assert [call.rsplit("/", 1)[1] for call in engine.calls] == ["json", "kill", "start"]
    assert engine.containers[ID]["State"]["Running"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("start_container", "docker start 0a1b2c3d4e5f"),
        ("remove_container", "docker rm --force gameday-api-eraser"),
        ("unpause_container", "docker unpause 0a1b2c3d4e5f"),
        (
            "connect_network",
            "docker network connect --alias api --ip 172.30.1.14 --ip6 fd00::14 --link-local-ip 169.254.1.1 "
            "--driver-opt mtu=1400 --link redis:cache net 0a1b2c3d4e5f",
        ),
    ],
)
def test_a_person_is_told_what_to_type(kind: str, words: str) -> None:
    data = {"kind": kind, "service": "api", "id": ID, "name": "gameday-api-eraser", **ATTACHED}

    assert undo.command({**data, "engine": "unix:///var/run/docker.sock"}) == words
    assert undo.command({**data, "engine": "unix:///x y.sock"}) == f"DOCKER_HOST='unix:///x y.sock' {words}"
