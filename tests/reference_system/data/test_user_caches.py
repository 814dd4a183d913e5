"""What is forgotten of a user: also what Redis does not have yet, because somebody is building it."""

import asyncio
from typing import Any, cast

import pytest

from reference_system.data.backends import Backends
from reference_system.data.generations import generation_key
from reference_system.data.keys import filters_key, notifications_key, suggestions_key
from reference_system.data.resp import Command
from reference_system.data.user_caches import UserCaches


class Stores:
    """Redis has one key of the user's, in two steps of a scan."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    async def redis(self, *commands: Command) -> list[Any]:
        await asyncio.sleep(0)
        self.commands += commands
        if commands[0][0] == "SCAN":
            return [[b"0", [b"user:ann:filters"]] if commands[0][1] == b"7" else [b"7", []]]
        return [1] * len(commands)

    async def postgres(self, statement: str, user: str) -> list[dict[str, str]]:
        await asyncio.sleep(0)
        assert (statement, user) == ("ids_of", "ann")
        return [{"id": "us-east-1"}]


@pytest.mark.parametrize("key", [filters_key("ann"), notifications_key("ann"), suggestions_key("ann")])
def test_what_is_being_built_is_not_stored_afterwards(key: str) -> None:
    stores = Stores()
    asyncio.run(UserCaches(cast(Backends, stores)).forget("ann"))

    assert ("INCR", generation_key(key)) in stores.commands
    assert ("DEL", key) in stores.commands
