"""What caches are told of a write, over stores that answer as they are told."""

import asyncio
from typing import Any, cast

from reference_system.data.backends import Backends
from reference_system.data.events import forget_profile
from reference_system.data.resp import Command
from reference_system.data.writes import Writes


class Stores:
    """Postgres gives one row."""

    def __init__(self, **row: Any) -> None:
        self.commands: list[Command] = []
        self._row = row

    async def redis(self, *commands: Command) -> list[Any]:
        await asyncio.sleep(0)
        self.commands += commands
        return [1] * len(commands)

    async def postgres(self, statement: str, *arguments: Any) -> list[Any]:
        del statement, arguments
        await asyncio.sleep(0)
        return [self._row]


def test_who_signs_up_is_no_longer_one_whom_there_is_not() -> None:
    stores = Stores(id="us-east-user-1")

    user = asyncio.run(Writes(cast(Backends, stores), region="us-east").sign_up("ann", "secret", at_s=1.0))

    assert user == "us-east-user-1"
    assert stores.commands == [*forget_profile("us-east-user-1")]
