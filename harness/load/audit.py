"""The final reads: every object that this shard has written to, once in every region, then again from the start.

What was acknowledged has to be found everywhere in the end, also in regions where nobody would have looked.
"""

from collections.abc import Sequence


class Audit:
    """Remembers what was written to, and hands out what is to be read next."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._regions = regions or ("",)
        self._objects: dict[str, None] = {}
        self._pairs: list[tuple[str, str]] = []
        self._given = 0

    def wrote_to(self, object_: str) -> None:
        self._objects[object_] = None

    def next(self) -> tuple[str, str] | None:
        """An object and the region to read it in; None where nothing was written."""
        if len(self._pairs) != len(self._objects) * len(self._regions):
            self._pairs = [(object_, region) for object_ in self._objects for region in self._regions]
        if not self._pairs:
            return None
        self._given += 1
        return self._pairs[(self._given - 1) % len(self._pairs)]
