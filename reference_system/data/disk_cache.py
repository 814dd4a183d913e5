"""What an API host keeps on its disk for a day: user data, and the last page that was seen of a profile.

It outlives the replica, and it is the last resort when neither Redis nor Postgres answers. A file that cannot be read
is thrown away and made anew: whatever is wrong with a disk, to its users it is a miss. One thread does all of it, so a
disk that stalls holds up nobody but those who wait for it, and them only for `WITHIN_S`.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from prometheus_client import Counter

from reference_system.data.lifetimes import ttl_ms

T = TypeVar("T")
LAYER = "disk"
TTL_S = 86_400.0  # specification: hours to days
MOST = 20_000  # entries; a profile has two, of a few kilobytes together
TIDY_EVERY = 200  # writes
WITHIN_S = 0.1  # a slower disk is none

_TABLE = (
    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID"
)
_INDEX = "CREATE INDEX IF NOT EXISTS entries_by_age ON entries (at)"
_TIDY = "DELETE FROM entries WHERE at <= (SELECT at FROM entries ORDER BY at DESC LIMIT 1 OFFSET ?)"


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    value: T
    age_s: float


class DiskCache:
    """`now_s` is Unix seconds: entries outlive the process."""

    def __init__(self, path: Path, *, now_s: Callable[[], float], requests: Counter, most: int = MOST) -> None:
        self._path = path
        self._now_s = now_s
        self._most = most
        self._writes = 0
        self._database: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disk-cache")
        self._count = {result: requests.labels(LAYER, result) for result in ("hit", "miss", "unavailable")}

    async def get(self, key: str, kind: type[T]) -> Found[T] | None:
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._read, key)
        try:
            async with asyncio.timeout(WITHIN_S):
                row = await asked
        except (TimeoutError, sqlite3.Error, OSError):
            self._count["unavailable"].inc()
            return None
        found = self._found(key, row, kind)
        self._count["miss" if found is None else "hit"].inc()
        return found

    async def put(self, key: str, value: object) -> None:
        await self._quietly(self._write, key, msgspec.json.encode(value), self._now_s())

    async def forget(self, key: str) -> None:
        await self._quietly(self._run, "DELETE FROM entries WHERE key = ?", key)

    async def forget_under(self, prefix: str) -> None:
        """All whose key begins so."""
        await self._quietly(self._run, "DELETE FROM entries WHERE key >= ? AND key < ?", prefix, f"{prefix}\U0010ffff")

    async def close(self) -> None:
        await self._quietly(self._close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _found(self, key: str, row: tuple[bytes, float] | None, kind: type[T]) -> Found[T] | None:
        if row is None:
            return None
        value, at_s = row
        age_s = max(0.0, self._now_s() - at_s)
        if 1000 * age_s >= ttl_ms(key, TTL_S):
            return None
        try:
            return Found(msgspec.json.decode(value, type=kind), age_s)
        except (msgspec.DecodeError, UnicodeDecodeError):  # of another version of ours, or a rotten block
            return None

    async def _quietly(self, work: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(sqlite3.Error, OSError):
            await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    # From here on in the thread.

    def _read(self, key: str) -> tuple[bytes, float] | None:
        row: tuple[bytes, float] | None = self._run("SELECT value, at FROM entries WHERE key = ?", key).fetchone()
        return row

    def _write(self, key: str, value: bytes, at_s: float) -> None:
        self._run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", key, value, at_s)
        self._writes += 1
        if self._writes % TIDY_EVERY == 0:
            self._run(_TIDY, self._most)

    def _run(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        try:
            return self._usable().execute(statement, arguments)
        except sqlite3.DatabaseError:
            self._close()
            self._remove()
            raise

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _usable(self) -> sqlite3.Connection:
        """Opened and looked through once; what cannot be used is replaced by an empty one."""
        if self._database is None:
            try:
                self._database = self._opened()
            except sqlite3.DatabaseError:
                self._remove()
                self._database = self._opened()
        return self._database

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")  # what a crash of the machine breaks is thrown away
            database.execute(_TABLE)
            database.execute(_INDEX)
            ((state,),) = database.execute("PRAGMA quick_check(1)").fetchall()
            if state != "ok":
                raise sqlite3.DatabaseError(state)
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _remove(self) -> None:
        for name in (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm"):
            (self._path.parent / name).unlink(missing_ok=True)
