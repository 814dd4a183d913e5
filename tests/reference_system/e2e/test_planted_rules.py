"""Planted defects of what replication brings: each breaks in four real databases what its sentence says."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest

from reference_system.data.seed import REGIONS
from reference_system.defects import for_api, for_worker
from reference_system.services.parts import ApiParts, WorkerParts
from tests.reference_system import mesh as meshes
from tests.reference_system.mesh import Mesh, Region, arrived, converged

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EAST, WEST, *_ = REGIONS
AUTHOR, KEY = "user-1001", "key"


def planted(defect: str, experiment: Callable[[Mesh, list[Region]], Awaitable[None]]) -> None:
    """With the defect in each region, as its worker plants it."""

    async def run(mesh: Mesh) -> None:
        for region in REGIONS:
            await for_worker(defect, WorkerParts()).prepare(mesh.dsn(region))
        async with mesh.regions() as regions:
            await experiment(mesh, regions)

    with meshes.running() as mesh:
        asyncio.run(run(mesh))


def separate(mesh: Mesh) -> None:
    for one, other in itertools.combinations(REGIONS, 2):
        mesh.cut(one, other)


async def both_post(mesh: Mesh, regions: list[Region]) -> set[str | None]:
    separate(mesh)
    posts = {await region.post(AUTHOR, KEY, at_s=float(number)) for number, region in enumerate(regions[:2])}
    mesh.heal()
    return posts


def test_planted_no_dedupe_trigger() -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        await both_post(mesh, regions)

        assert not await arrived(regions, within_s=3), "a link stands still"
        assert sum([row["conflicts"] for region in regions for row in await region.run("incoming")]) > 0

    planted("no_dedupe_trigger", experiment)


def test_planted_both_posts_of_a_key() -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        posts = await both_post(mesh, regions)

        assert await arrived(regions)
        assert [await region.posts(AUTHOR) for region in regions] == [posts] * 4

    planted("keeps_both_posts_of_a_key", experiment)


def test_planted_last_arrival_wins() -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        separate(mesh)
        for number, region in enumerate(regions[:2]):
            await region.run("set_bio", AUTHOR, region.name, 100.0 - number, region.name)
        mesh.heal()

        assert await arrived(regions)
        assert [(await region.run("profile", AUTHOR))[0]["bio"] for region in regions[:2]] == [WEST, EAST]
        assert not await converged(regions)

    planted("last_arrival_wins", experiment)


@pytest.mark.parametrize("defect", ["forgets_deletes_during_a_cut", "likes_revive_deleted_posts"])
def test_planted_deletes_that_do_not_last(defect: str) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        post = await east.post(AUTHOR, KEY, at_s=1.0)
        assert await arrived(regions)
        separate(mesh)
        await east.run("delete_post", post, AUTHOR, EAST, time.time() - 3)  # as if it had been cut for so long
        await west.run("like", post, WEST)
        mesh.heal()

        assert await arrived(regions)
        shown_in = {region.name for region in regions if post in await region.posts(AUTHOR)}
        assert (WEST if defect == "forgets_deletes_during_a_cut" else EAST) in shown_in

    planted(defect, experiment)


def test_planted_likes_in_one_row() -> None:
    like = for_api("counts_likes_in_one_row", ApiParts()).statements["like"]

    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        post = "us-east-1"
        before = int((await regions[0].run("posts", [post]))[0]["likes"])
        separate(mesh)
        for region, times in zip(regions[:2], (10, 7), strict=True):
            for _ in range(times):
                await region.connection.fetch(like, post, region.name)
        mesh.heal()

        assert await arrived(regions)
        counts = {int((await region.run("posts", [post]))[0]["likes"]) for region in regions}
        assert counts != {before + 17}
        assert max(counts) < before + 17

    planted("", experiment)


@pytest.mark.parametrize("defect", ["", "acknowledges_before_disk"])
def test_planted_acknowledgement_of_what_is_not_on_disk(defect: str) -> None:
    async def made_and_found(mesh: Mesh) -> tuple[set[str], set[str]]:
        await mesh.ready()
        postgres = for_api(defect, ApiParts()).postgres(mesh.dsn(EAST), connections=10)
        await postgres.connect()
        made = {str((await postgres.run("post", EAST, AUTHOR, "", None, [], 2e9, f"{n}"))[0]["id"]) for n in range(10)}
        mesh.restart(EAST)
        await postgres.close()
        await mesh.ready()
        async with mesh.regions() as (east, *_):
            return made, await east.posts(AUTHOR)

    with meshes.running(connected=False) as mesh:
        made, found = asyncio.run(made_and_found(mesh))
    assert (made <= found) == (not defect)


def test_planted_heartbeats_of_a_time_to_come() -> None:
    beat = for_worker("beats_ahead_of_time", WorkerParts()).statements["beat"]

    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        await regions[0].connection.execute(beat.replace("$1", f"'{EAST}'"))

        (heard,) = [row for row in await regions[0].run("heartbeats") if row["region"] == EAST]
        assert heard["age_s"] < -4

    planted("", experiment)
