"""The open loop: starts every request when it is due, whatever became of those before, and writes one row for each.

Behind schedule it catches up; nothing is skipped and nothing waits for an answer. What cannot be sent is a row too, so
that offered = ok + shed + disabled + failed + unknown + not sent, exactly and however the run ends. What a visitor
sends again is a request of its own, due when the one before it has failed.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

from harness.clock import NS_PER_S, now_ns
from harness.load.answer import Answer
from harness.load.audit import Audit
from harness.load.inside_locust.entry import Entry
from harness.load.inside_locust.schedule import Schedule
from harness.load.inside_locust.tally import Tally
from harness.load.inside_locust.visit import GivenUp, NoAnswerError, Visit
from harness.load.outcomes import of_answer, of_error
from harness.load.profile import Action, Profile
from harness.load.sessions import Sessions
from harness.record.request_writer import RequestWriter
from harness.record.rows import (
    LEVEL_UNKNOWN,
    NO_AGE,
    NO_COUNT,
    NO_SESSION,
    NOT_SENT_NS,
    Change,
    ErrorClass,
    Outcome,
)

LOG = logging.getLogger(__name__)

LONGEST_SLEEP_S = 0.05  # how late a stop may be noticed
STARTS_IN_A_ROW = 32  # requests started before the others may run: bounds the lag that catching up itself makes
LOGGED_FAULTS = 20  # of a profile that stumbles over answers; more would only repeat
GIVE_UP_WITHIN_S = 1.0

SENT_AGAIN = frozenset({Outcome.FAILED, Outcome.UNKNOWN, Outcome.SHED})  # by visitors who do that

_LEVELS = {str(level): level for level in range(5)}


class _Due(NamedTuple):
    """One request: its arrival's place in the schedule, which attempt it is, and when it should be sent."""

    place: int
    attempt: int
    scheduled_ns: int


class Dispatcher:
    """Offers one schedule. `stop_ns` may be set at any time: what is due later is not offered any more.

    `header_names`, in small letters, are those of served_by, region, level, cache, shed, disabled_feature and banner.
    """

    def __init__(
        self,
        schedule: Schedule,
        profile: Profile,
        entry: Entry,
        writer: RequestWriter,
        tally: Tally,
        *,
        header_names: tuple[str, ...],
        age_header: str,
        region_asked: str,
        in_flight_limit: int,
        first_number: int,
        number_step: int,
    ) -> None:
        self.stop_ns: int | None = None
        self.offered = 0
        self.given_up = 0
        self.disturb: Callable[[int], None] = lambda at_ns: None  # a planted defect's hook
        self._schedule, self._entry, self._writer, self._tally = schedule, entry, writer, tally
        self._actions = profile.actions
        self._facts = [_facts(action, profile) for action in profile.actions]
        self._home_of = profile.people.home_of
        self._only_region = region_asked
        self._sessions = Sessions(self._home_of, first_number=first_number, number_step=number_step)
        self._audit = Audit(tuple(dict.fromkeys(profile.people.homes)))
        self._header_names, self._age_header = header_names, age_header
        self._limit = in_flight_limit
        self._first_number, self._number_step = first_number, number_step
        self._start_ns = 0
        self._end_ns = 0
        self._open: dict[Any, _Due] = {}
        self._faults_logged = 0

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def offer(self, start_ns: int, *, until_s: float) -> None:
        """Returns at `until_s`, or soon after `stop_ns` was set; everything due until then has been offered."""
        self._start_ns, self._end_ns = start_ns, start_ns + int(until_s * NS_PER_S)
        due_ns = self._schedule.due_ns
        place = self._offer_until_stopped(due_ns)
        while self.stop_ns is None and (left_ns := start_ns + int(until_s * NS_PER_S) - now_ns()) > 0:
            gevent.sleep(min(left_ns / NS_PER_S, LONGEST_SLEEP_S))
        if self.stop_ns is not None:
            for missed in range(place, bisect_right(due_ns, self.stop_ns - start_ns)):
                self._not_sent(missed, ErrorClass.RUN_STOPPED)

    def _offer_until_stopped(self, due_ns: Any) -> int:
        """The loop itself; the place of the first arrival that was not offered."""
        place, count = 0, len(due_ns)
        while place < count and self.stop_ns is None:
            at_ns = now_ns()
            self.disturb(at_ns)
            in_a_row_end = min(count, place + STARTS_IN_A_ROW)
            while place < in_a_row_end and due_ns[place] + self._start_ns <= at_ns:
                self._start(place)
                place += 1
            if place == in_a_row_end:
                gevent.sleep(0)
            else:
                wait_s = (due_ns[place] + self._start_ns - now_ns()) / NS_PER_S
                gevent.sleep(min(max(wait_s, 0.0), LONGEST_SLEEP_S))
        return place

    def drain(self, within_s: float) -> None:
        """Wait for open requests; those still open after that are given up."""
        end_ns = now_ns() + int(within_s * NS_PER_S)
        while self._open and now_ns() < end_ns:
            gevent.sleep(min(0.01, within_s))
        self.give_up(ErrorClass.DEADLINE)

    def give_up(self, why: ErrorClass) -> None:
        """End every open request now; each gets its row."""
        gevent.sleep(0)  # those just spawned begin, so that they can be told
        self.given_up += len(self._open)
        gevent.killall(list(self._open), exception=GivenUp(why), block=True, timeout=GIVE_UP_WITHIN_S)
        while self._open:
            _, due = self._open.popitem()
            self._row(due, Visit(self._entry), ErrorClass.RUN_STOPPED)

    def _start(self, place: int) -> None:
        if len(self._open) >= self._limit:
            self._not_sent(place, ErrorClass.CLIENT_LIMIT)
            return
        due = self._offered(_Due(place, 1, self._schedule.due_ns[place] + self._start_ns))
        self._open[gevent.spawn(self._perform, due)] = due

    def _not_sent(self, place: int, why: ErrorClass) -> None:
        due = self._offered(_Due(place, 1, self._schedule.due_ns[place] + self._start_ns))
        self._row(due, Visit(self._entry), why)

    def _offered(self, due: _Due) -> _Due:
        self.offered += 1
        self._tally.scheduled += 1
        return due

    def _perform(self, first: _Due) -> None:
        """An arrival's request, and whatever its visitor sends again."""
        due: _Due | None = first
        while due is not None:
            due = self._attempt(due)

    def _attempt(self, due: _Due) -> _Due | None:
        """One request and its row; the next one if it is to be sent again."""
        schedule, place, me = self._schedule, due.place, gevent.getcurrent()
        action, user = self._actions[schedule.actions[place]], schedule.users[place]
        number = self._first_number + place * self._number_step
        visitor = action.visitor(user, number, schedule.draws[place], self._home_of(user))
        session = self._sessions.begin(user, fresh=action.fresh)
        visit = Visit(self._entry, session, self._audit)
        try:
            action.perform(visitor, visit)
        except NoAnswerError:
            pass
        except Exception as error:  # a profile stumbles over what it did not expect: the answer is wrong, the row stays
            self._stumbled(action, visit, error)
        if self._open.pop(me, None) is None:  # given up, and its row is written
            return None
        outcome = self._row(due, visit, visit.error)
        self._sessions.end(session, retire=action.fresh or outcome == Outcome.UNKNOWN)
        if not self._sends_again(action, due, outcome, visit.finished_ns):
            return None
        again = self._open[me] = self._offered(_Due(place, due.attempt + 1, visit.finished_ns))
        return again

    def _sends_again(self, action: Action, due: _Due, outcome: str, at_ns: int) -> bool:
        load_goes_on = self.stop_ns is None and at_ns < self._end_ns
        return due.attempt <= action.retries and outcome in SENT_AGAIN and load_goes_on

    def _stumbled(self, action: Action, visit: Visit, error: Exception) -> None:
        if visit.answer is not None:
            visit.answer.wrong(repr(error))
        if self._faults_logged < LOGGED_FAULTS:
            self._faults_logged += 1
            LOG.warning("%s could not make sense of what it got", action.operation, exc_info=error)

    def _row(self, due: _Due, visit: Visit, error: ErrorClass) -> str:
        """Write the row of a request; its outcome."""
        schedule, (place, attempt, scheduled_ns) = self._schedule, due
        facts, user = self._facts[schedule.actions[place]], schedule.users[place]
        finished_ns = visit.finished_ns if visit.sent_ns != NOT_SENT_NS else now_ns()
        answer, intent, session = visit.answer, visit.intent, visit.session
        region = (session.region if session is not None else self._home_of(user)) or self._only_region
        if answer is not None:
            words = (*self._answered(facts, answer, region, intent.change), attempt)
            texts = (intent.object or answer.object, intent.written, answer.ids_seen)
            count = answer.count if intent.amount == NO_COUNT else intent.amount
            age_s = answer.age_s(self._age_header)
        else:
            if visit.sent_ns == NOT_SENT_NS:
                # Not even asked: held back by us, or by a profile that failed before it asked anything.
                outcome, error = Outcome.NOT_SENT, error or ErrorClass.OTHER
            else:
                outcome, error = of_error(error, writes=facts.writes, connected=visit.connected)
            words = (
                *(*facts.row, outcome, error, 0, region, "", "", LEVEL_UNKNOWN, "", "", "", False, "", ""),
                *(intent.change, False, attempt),
            )
            texts, count, age_s = (intent.object, intent.written, ""), intent.amount, NO_AGE
        number = NO_SESSION if session is None or visit.sent_ns == NOT_SENT_NS else session.number
        self._writer.add(words, (scheduled_ns, visit.sent_ns, finished_ns, user, number, count, age_s), texts)
        self._count(words[3], scheduled_ns, visit.sent_ns, finished_ns)
        return str(words[3])

    def _answered(self, facts: "_Facts", answer: Answer, region_asked: str, change: Change) -> tuple[Any, ...]:
        """The words of a row whose request got a complete answer, in the order of `RowWords`, but for the attempt."""
        served_by, region, level, cache, shed, disabled, refused, banner = map(answer.header, self._header_names)
        outcome, error = of_answer(
            answer.status,
            writes=facts.writes,
            shed=shed != "",
            disabled=disabled != "",
            refused=refused != "",
            wrong=answer.why_wrong is not None,
        )
        seen_on = ",".join(sorted(answer.on)) if answer.on else ""
        seen_off = ",".join(sorted(answer.off)) if answer.off else ""
        return (
            *(*facts.row, outcome, error, answer.status, region_asked, region, served_by),
            *(_LEVELS.get(level, LEVEL_UNKNOWN), cache, shed, disabled, banner != "", seen_on, seen_off),
            *(change, answer.whole),
        )

    def _count(self, outcome: str, scheduled_ns: int, sent_ns: int, finished_ns: int) -> None:
        self._tally.ended(outcome)
        if sent_ns != NOT_SENT_NS:
            self._tally.lags_ns.append(sent_ns - scheduled_ns)
            self._tally.latencies_ns.append(finished_ns - scheduled_ns)


class _Facts:
    """What all rows of an action share."""

    __slots__ = ("row", "writes")

    def __init__(self, row: tuple[str, str, int], writes: bool) -> None:
        self.row, self.writes = row, writes


def _facts(action: Action, profile: Profile) -> _Facts:
    spec = next(one for one in profile.operations if one.name == action.operation)
    return _Facts((spec.name, spec.route, spec.priority), spec.writes)
