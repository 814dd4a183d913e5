"""What `prepare` of a profile gets: the target before the clock starts. Nothing of it is recorded as load."""

from collections.abc import Callable, Sequence

from gevent.pool import Pool

from harness.load.answer import Answer
from harness.load.inside_locust.entry import Entry
from harness.load.inside_locust.visit import Visit


class Lobby:
    """Requests without a place in the schedule, and the door to make users known."""

    def __init__(self, entry: Entry, cast: Sequence[int]) -> None:
        self._entry = entry
        self.cast = cast

    def get(self, path: str) -> Answer:
        return Visit(self._entry).get(path)

    def post(self, path: str, body: object) -> Answer:
        return Visit(self._entry).post(path, body)

    def for_each(self, work: Callable[[int], None], *, at_once: int) -> None:
        for _ in Pool(at_once).imap_unordered(work, self.cast, maxsize=at_once):
            pass

    def identify(self, user: int, headers: dict[str, str]) -> None:
        self._entry.identify(user, headers)
