"""One arrival: a visitor asks the target one thing, and what became of it.

The visit keeps the times and the error; what they mean is `outcomes`' to say. Only the request itself is under the
deadline and between `sent_ns` and `finished_ns`: looking at the answer is our own work, not the target's.
"""

from collections.abc import Callable

from gevent import GreenletExit, Timeout, getcurrent

from harness.clock import now_ns
from harness.load.answer import Answer
from harness.load.inside_locust.connections import NETWORK_ERRORS, error_class
from harness.load.inside_locust.entry import Entry
from harness.load.inside_locust.first_frame import WEBSOCKET_ERRORS, websocket_error_class
from harness.record.rows import NOT_SENT_NS, ErrorClass


class GivenUp(GreenletExit):  # type: ignore[misc] # gevent ships no types
    """Thrown into an open request to end it now; `why` becomes its error."""

    def __init__(self, why: ErrorClass) -> None:
        super().__init__(why)
        self.why = why


class NoAnswerError(Exception):
    """The request ended without a complete answer; the visit knows why."""


class Visit:
    """The `Site` of a profile, for one arrival."""

    __slots__ = ("_entry", "answer", "connected", "error", "finished_ns", "sent_ns")

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.sent_ns = NOT_SENT_NS
        self.finished_ns = NOT_SENT_NS
        self.connected = False
        self.answer: Answer | None = None
        self.error = ErrorClass.NONE

    @property
    def run(self) -> str:
        return self._entry.run

    def get(self, path: str, *, user: int | None = None) -> Answer:
        request = self._entry.request("GET", path, None, user, None)
        return self._ask(lambda: self._entry.exchange("GET", request))

    def post(
        self, path: str, body: object, *, user: int | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        request = self._entry.request("POST", path, body, user, headers)
        return self._ask(lambda: self._entry.exchange("POST", request))

    def websocket(self, path: str, *, user: int | None = None) -> Answer:
        return self._ask(lambda: self._entry.first_frame(path, user))

    def _ask(self, exchange: Callable[[], Answer]) -> Answer:
        if self.sent_ns != NOT_SENT_NS:
            raise RuntimeError("an operation asks the target for one thing only: split it in two")
        me = getcurrent()
        me.connected = False
        deadline = Timeout.start_new(self._entry.deadline_s)
        self.sent_ns = now_ns()
        try:
            self.answer = exchange()
            return self.answer
        except NETWORK_ERRORS as error:
            self.error = error_class(error)
        except WEBSOCKET_ERRORS as error:
            self.error = websocket_error_class(error)
        except Timeout as expired:
            if expired is not deadline:
                raise
            self.error = ErrorClass.DEADLINE
        except GivenUp as given_up:
            self.error = given_up.why
        finally:
            self.finished_ns = now_ns()
            self.connected = me.connected
            deadline.close()
            deadline.__traceback__ = None  # it refers to this frame, and this frame to it
        raise NoAnswerError(self.error)
