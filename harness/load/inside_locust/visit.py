"""One arrival: a visitor asks the target one thing, and what became of it.

The visit keeps the times and the error; what they mean is `outcomes`' to say. Only the request itself is under the
deadline and between `sent_ns` and `finished_ns`: looking at the answer is our own work, not the target's.
"""

from collections.abc import Callable, Mapping

from gevent import GreenletExit, Timeout, getcurrent

from harness.clock import now_ns
from harness.load.answer import Answer
from harness.load.audit import Audit
from harness.load.inside_locust.connections import NETWORK_ERRORS, error_class
from harness.load.inside_locust.entry import Entry
from harness.load.inside_locust.first_frame import WEBSOCKET_ERRORS, websocket_error_class
from harness.load.intent import NOTHING, Intent
from harness.load.sessions import Session
from harness.record.rows import NOT_SENT_NS, Change, ErrorClass


class GivenUp(GreenletExit):  # type: ignore[misc] # gevent ships no types
    """Thrown into an open request to end it now; `why` becomes its error."""

    def __init__(self, why: ErrorClass) -> None:
        super().__init__(why)
        self.why = why


class NoAnswerError(Exception):
    """The request ended without a complete answer; the visit knows why."""


class Visit:
    """The `Site` of a profile, for one arrival."""

    __slots__ = ("_audit", "_entry", "answer", "connected", "error", "finished_ns", "intent", "sent_ns", "session")

    def __init__(self, entry: Entry, session: Session | None = None, audit: Audit | None = None) -> None:
        self._entry = entry
        self._audit = audit
        self.session = session
        self.intent = NOTHING
        self.sent_ns = NOT_SENT_NS
        self.finished_ns = NOT_SENT_NS
        self.connected = False
        self.answer: Answer | None = None
        self.error = ErrorClass.NONE

    @property
    def run(self) -> str:
        return self._entry.run

    @property
    def region(self) -> str:
        return "" if self.session is None else self.session.region

    def travel(self, region: str) -> None:
        assert self.session is not None, "only visitors travel"
        self.session.region = region

    def carry(self, headers: Mapping[str, str]) -> None:
        assert self.session is not None, "only visitors carry something"
        self.session.carry(headers)

    def unread(self) -> tuple[str, str] | None:
        return None if self._audit is None else self._audit.next()

    def get(self, path: str, *, user: int | None = None) -> Answer:
        request = self._entry.request("GET", path, None, user, None, session=self.session)
        return self._ask(lambda: self._entry.exchange("GET", request))

    def post(
        self,
        path: str,
        body: object,
        *,
        user: int | None = None,
        headers: dict[str, str] | None = None,
        intent: Intent = NOTHING,
    ) -> Answer:
        return self._send("POST", path, body, user, headers=headers, intent=intent)

    def put(self, path: str, body: object, *, user: int | None = None, intent: Intent = NOTHING) -> Answer:
        return self._send("PUT", path, body, user, headers=None, intent=intent)

    def delete(self, path: str, *, user: int | None = None, intent: Intent = NOTHING) -> Answer:
        return self._send("DELETE", path, None, user, headers=None, intent=intent)

    def websocket(self, path: str, *, user: int | None = None) -> Answer:
        return self._ask(lambda: self._entry.first_frame(path, user, self.session))

    def _send(
        self, method: str, path: str, body: object, user: int | None, *, headers: dict[str, str] | None, intent: Intent
    ) -> Answer:
        request = self._entry.request(method, path, body, user, headers, session=self.session)
        self.intent = intent
        if self._audit is not None and intent.change in {Change.ADD, Change.COUNT}:
            self._audit.wrote_to(intent.object)
        return self._ask(lambda: self._entry.exchange(method, request))

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
