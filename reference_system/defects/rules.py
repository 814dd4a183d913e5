"""How a defect changes the rules of the database, as triggers and functions: after the tables are made."""

from collections.abc import Callable
from dataclasses import replace

import asyncpg

from reference_system.services.parts import Prepare, WorkerParts


def _then(prepare: Prepare, script: str) -> Prepare:
    """The tables with their rules changed."""

    async def prepared(dsn: str) -> bool:
        made = await prepare(dsn)
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            await connection.execute(script)
        finally:
            await connection.close()
        return made

    return prepared


def with_rules(script: str) -> Callable[[WorkerParts], WorkerParts]:
    """A worker that runs the SQL script at each of its starts, which therefore has to bear being repeated."""
    return lambda parts: replace(parts, prepare=_then(parts.prepare, script))
