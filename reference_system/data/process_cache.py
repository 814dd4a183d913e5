"""A replica's own memory of what many ask for: bounded by number, each entry for its own TTL, the least used go first.

It is used only while the replica hears of changes (`invalidations.py`): closed it is empty and keeps nothing. What is
being read while its key is forgotten may be old already, and is not kept either.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import Counter

from reference_system.data.lifetimes import ttl_ms

T = TypeVar("T")
LAYER = "process"


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    value: T
    age_s: float  # since it was kept


class Reading:
    """Somebody reads what may be kept; outdated once its key was forgotten."""


class ProcessCache(Generic[T]):
    """Times are of any clock that only goes forward."""

    def __init__(self, *, ttl_s: float, most: int, requests: Counter) -> None:
        self._ttl_s = ttl_s
        self._most = most
        self._entries: OrderedDict[str, tuple[T, float]] = OrderedDict()
        self._readings: dict[str, Reading] = {}
        self._open = False
        self._count = {result: requests.labels(LAYER, result) for result in ("hit", "miss", "unavailable")}

    def open(self) -> None:
        self._open = True
        self._readings.clear()  # who began to read before may have read what has changed unheard

    def close(self) -> None:
        self._open = False
        self._entries.clear()
        self._readings.clear()

    def get(self, key: str, now_s: float) -> Kept[T] | None:
        if not self._open:
            self._count["unavailable"].inc()
            return None
        entry = self._entries.get(key)
        if entry is None or 1000 * (now_s - entry[1]) >= ttl_ms(key, self._ttl_s):
            self._count["miss"].inc()
            return None
        self._count["hit"].inc()
        self._entries.move_to_end(key)
        value, since_s = entry
        return Kept(value, now_s - since_s)

    def reading(self, key: str) -> Reading:
        """To be asked for before what shall be kept is read from the layer below."""
        if len(self._readings) >= self._most:  # readings that failed stay behind
            self._readings.clear()
        return self._readings.setdefault(key, Reading())

    def keep(self, key: str, value: T, reading: Reading, now_s: float) -> bool:
        """False, and nothing kept, if the key was forgotten while it was read."""
        if not self._open or self._readings.get(key) is not reading:
            return False
        del self._readings[key]
        self._entries[key] = (value, now_s)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return True

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)
        self._readings.pop(key, None)
