import asyncio
import math

from reference_system.data import errands
from reference_system.data.background import MOST_TASKS, Background
from reference_system.data.errands import Errand


async def _settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_what_is_too_much_is_dropped_and_what_must_be_done_is_not() -> None:
    done: list[str] = []

    async def note(what: str) -> None:
        await asyncio.sleep(0)
        done.append(what)

    async def use() -> None:
        background, never = Background(), asyncio.Event()
        for _ in range(MOST_TASKS):
            background.run(never.wait())
        background.run(note("a cache is filled"))
        background.run_surely(note("what has changed is forgotten"))
        await _settled()
        await background.close()

    asyncio.run(use())
    assert done == ["what has changed is forgotten"]


def test_it_is_as_important_as_what_began_it_and_late_for_nobody() -> None:
    seen: list[Errand] = []

    async def look() -> None:
        await asyncio.sleep(0)
        seen.append(errands.current())

    async def use() -> None:
        background = Background()
        background.run(look())  # the service's own
        errands.begin(Errand(priority=3, deadline_s=0.0, writes=True, begun=True))
        background.run(look())
        await _settled()
        await background.close()

    asyncio.run(use())
    assert [(errand.priority, errand.deadline_s) for errand in seen] == [(1, math.inf), (3, math.inf)]
    assert seen[1].may_be_refused
