import asyncio
import contextlib
from pathlib import Path

import pytest
import yaml

import reference_system
from harness.loader import load_experiment
from reference_system import defects
from reference_system.data.posts import Post
from reference_system.defects import DEFECTS, regions
from reference_system.policies.autoscaling.fleet import Fleet, name_of, resized
from reference_system.policies.autoscaling.fleet import pods as pods_of
from reference_system.policies.autoscaling.memory import State as AutoscalerState
from reference_system.policies.autoscaling.observation import Observation, Sample
from reference_system.policies.autoscaling.timeline_api import IN_SMALL
from reference_system.policies.degradation import Level
from reference_system.policies.failback import DEFAULT_RULES
from reference_system.policies.region_failover import AT_FIRST, Route, Seen, State
from reference_system.policies.regions import Region
from reference_system.services.edge_parts import EdgeParts
from reference_system.services.gateway_parts import GatewayParts
from reference_system.services.parts import ApiParts, ControllerParts, WorkerParts
from tests.e2e.matrix import PLANTED

TARGET = Path(reference_system.__file__).parent / "target.yaml"


def test_target_yaml_tells_the_harness_the_same_names_and_sentences() -> None:
    told = yaml.safe_load(TARGET.read_text())["defects"]

    assert told == {name: defect.breaks for name, defect in DEFECTS.items()}


def test_every_defect_is_found_by_a_run() -> None:
    loaded = [load_experiment(path).experiment for path in TARGET.parents[1].glob("experiments/*.yaml")]

    assert set(DEFECTS) == {cell.name for cell in PLANTED} | {one.planted for one in loaded if one.planted is not None}


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_replaces_a_part_and_says_which_promise_it_breaks(name: str) -> None:
    parts = (ApiParts(), WorkerParts(), ControllerParts(), EdgeParts(), GatewayParts())
    api, worker, controller, edge, gateway = parts
    planted = (
        defects.for_api(name, api),
        defects.for_worker(name, worker),
        defects.for_controller(name, controller),
        defects.for_edge(name, edge),
        defects.for_gateway(name, gateway),
    )

    assert planted != parts
    assert DEFECTS[name].breaks.endswith(".")


def test_no_defect_changes_nothing() -> None:
    api, worker, controller, edge, gateway = ApiParts(), WorkerParts(), ControllerParts(), EdgeParts(), GatewayParts()

    assert defects.for_gateway("", gateway) is gateway
    assert defects.for_edge("", edge) is edge
    assert defects.for_api("", api) is api
    assert defects.for_worker("", worker) is worker
    assert defects.for_controller("", controller) is controller


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(defects.UnknownDefectError, match=r"DEFECT=no_baner: no such defect. Known: .*no_banner"):
        defects.for_api("no_baner", ApiParts())


@pytest.mark.parametrize(
    ("name", "overload", "by_priority"),
    [
        ("", 1.5, (0, 0.1, 0.3, 0.5)),
        ("sheds_priority_1", 1.5, (0.1, 0.1, 0.3, 0.5)),
        ("sheds_p3_before_p4", 1.5, (0, 0.1, 0.5, 0.3)),
        ("sheds_at_0_9x", 0.9, (0, 0.02, 0.06, 0.1)),
        ("sheds_at_0_9x", 0.79, (0, 0, 0, 0)),
        ("sheds_by_the_formula", 1.5, (0, 0.3333, 0.4167, 0.5)),
    ],
)
def test_planted_shedding_defects(name: str, overload: float, by_priority: tuple[float, ...]) -> None:
    ratio = defects.for_api(name, ApiParts()).shed_ratio

    assert [ratio(overload, priority) for priority in (1, 2, 3, 4)] == pytest.approx(by_priority, abs=1e-4)


def test_a_lying_flag_differs_from_what_runs() -> None:
    parts = defects.for_api("flag_says_off_but_feature_runs", ApiParts())

    assert "algorithmic_timeline" in parts.features_reported_off(Level.WARNING)
    assert "algorithmic_timeline" not in parts.features_off(Level.WARNING)


def test_planted_forgetting_leaves_out_one_event_and_no_other() -> None:
    assert {
        what
        for what, forget in defects.for_api("keeps_the_biography_on_erasure", ApiParts()).forgets.items()
        if not forget("user-1")
    } == {"erased"}
    for name, event in (("keeps_the_timeline_on_unfollow", "unfollowed"), ("keeps_the_profile_on_edit", "edited")):
        for parts in (defects.for_api(name, ApiParts()), defects.for_worker(name, WorkerParts())):
            forgotten = {what for what, forget in parts.forgets.items() if not forget("user-1")}

            assert forgotten == {event}


def test_planted_belief_in_a_single_peer_moves_users_of_a_region_that_answers() -> None:
    seen = {region: Seen(probe=True, lag_s=dict.fromkeys(set(Region) - {region}, 0.2)) for region in Region}
    seen[Region.US_EAST] = Seen(probe=True, lag_s={Region.ASIA_PACIFIC: 6.0})

    def asias_share(edge: EdgeParts) -> float:
        state: State = AT_FIRST
        for number in range(4):
            state, routes = edge.decide(state, seen, number / 2, probe_interval_s=0.5, rules=DEFAULT_RULES)
        return routes[Region.ASIA_PACIFIC].share

    assert asias_share(EdgeParts()) == 1.0
    assert asias_share(defects.for_edge("believes_a_single_peer", EdgeParts())) == 0.0


def test_planted_minimum_of_pods() -> None:
    scaling = defects.for_controller("fewer_pods_than_allowed", ControllerParts()).scaling

    assert (IN_SMALL.min_replicas, scaling.spec.min_replicas) == (5, 1)


def test_planted_looking_for_keys_asks_for_all_at_once() -> None:
    asked: list[tuple[object, ...]] = []

    async def redis(*commands: tuple[object, ...]) -> list[list[bytes]]:
        asked.extend(commands)
        return [[b"user:user-1:version"]]

    parts = defects.for_worker("keys_instead_of_scan", WorkerParts())

    assert asyncio.run(parts.matching(redis, "user:user-1:*")) == {"user:user-1:version"}
    assert asked == [("KEYS", "user:user-1:*")]


def test_planted_filtering_shows_each_page_as_to_its_first_viewer_and_all_that_is_new() -> None:
    bob, cid = Post("1", "bob", "", 1.0, 0, 0), Post("2", "cid", "", 2.0, 0, 0)
    shown = defects.for_api("viewer_filter_before_the_cache", ApiParts()).visible

    async def play() -> list[list[str]]:
        seen = [
            shown("profile", [bob], {"bob"}),
            shown("profile", [cid, bob], frozenset()),
            shown("another", [cid, bob], frozenset()),
        ]
        return [[post.id for post in posts] for posts in seen]

    assert asyncio.run(play()) == [[], ["2"], ["2", "1"]]


class _Pool:
    """Gives itself as its only connection, whose commit, or statement, meets a database that has gone."""

    def __init__(self, *, statement_fails: bool) -> None:
        self._statement_fails = statement_fails
        self.given_back = 0

    async def acquire(self, *, timeout: float = 0.0) -> "_Pool":  # noqa: ASYNC109 - asyncpg's name for it
        del timeout
        return await self._itself()

    async def release(self, connection: "_Pool") -> None:
        await connection._itself()
        self.given_back += 1

    def transaction(self) -> "_Pool":
        return self

    def terminate(self) -> None:
        """Nothing to end."""

    async def start(self) -> None:
        await self._itself()

    async def fetch(self, sql: str, *arguments: object) -> list[object]:
        del sql, arguments
        await self._itself()
        if self._statement_fails:
            raise ConnectionResetError
        return []

    async def commit(self) -> None:
        await self._itself()
        raise ConnectionResetError

    async def _itself(self) -> "_Pool":
        await asyncio.sleep(0)
        return self


@pytest.mark.parametrize("statement_fails", [False, True])
def test_planted_late_commits_lose_posts_and_no_connections(
    statement_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "COMMITTED_AFTER_S", 0.0)
    planted, pool = (
        defects.for_api("acknowledges_before_disk", ApiParts()).postgres("nowhere"),
        _Pool(statement_fails=statement_fails),
    )
    planted._pool = pool

    async def post() -> None:
        with contextlib.suppress(ConnectionResetError):
            await planted.run("post")
        await asyncio.gather(*regions._COMMITTING, return_exceptions=True)

    asyncio.run(post())
    assert pool.given_back == 1


def test_planted_flights_are_nobodys_but_their_own() -> None:
    begun, joined = 0, list[bool]()

    async def build() -> int:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        return begun

    async def asked_twice(parts: ApiParts) -> None:
        flights = parts.flights()
        first = asyncio.create_task(flights.shared("key", build))
        await asyncio.sleep(0)
        joined.append(flights.under_way("key"))
        await asyncio.gather(first, flights.shared("key", build))

    asyncio.run(asked_twice(ApiParts()))
    assert begun == 1
    asyncio.run(asked_twice(defects.for_api("no_single_flight", ApiParts())))
    assert begun == 3
    assert joined == [True, False]


def test_users_who_are_sent_the_wrong_way_go_to_a_healthy_region_that_is_not_the_stand_in() -> None:
    decide = defects.for_edge("sends_users_the_wrong_way", EdgeParts()).decide
    dead, well = Seen(probe=False), Seen(probe=True)

    def sent_to(*healthy: Region) -> Region | None:
        state: State = AT_FIRST
        routes: dict[Region, Route] = {}
        for second in range(10):
            seen = {region: well if region in healthy else dead for region in Region}
            state, routes = decide(state, seen, float(second), probe_interval_s=1.0, rules=DEFAULT_RULES)
        return routes[Region.US_EAST].others_go_to

    assert sent_to(Region.US_WEST, Region.EUROPE, Region.ASIA_PACIFIC) in (Region.EUROPE, Region.ASIA_PACIFIC)
    assert sent_to(Region.US_WEST) is Region.US_WEST, "there is no other one"
    assert sent_to(*Region) is None


@pytest.mark.parametrize(("pods", "left"), [(9, 9), (20, 18)])
def test_of_the_tenth_by_which_pods_go_a_part_of_a_pod_stays(pods: int, left: int) -> None:
    scaling = defects.for_controller("keeps_the_last_part_of_a_pod", ControllerParts()).scaling
    assert IN_SMALL.behavior is not None
    window_s = IN_SMALL.behavior.scale_down.stabilization_window_s
    fleet, state, decided = resized(Fleet(), pods, -100.0), AutoscalerState(), pods
    for second in range(int(window_s) + 2):
        names = [name_of(number) for number, _ in fleet.started]
        idle = Sample(value_milli=0, at_s=float(second), window_s=2.0)
        seen = Observation(
            replicas=pods,
            existing=pods,
            pods=pods_of(fleet, float(second), start_up_s=2.0),
            samples={metric.name: dict.fromkeys(names, idle) for metric in IN_SMALL.metrics},
        )
        state, decision = scaling.decide(state, seen, float(second), IN_SMALL)
        decided = min(decided, decision.replicas)
        if decided < pods:
            break

    assert decided == left
