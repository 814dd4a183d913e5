"""Sessions: what one user does, one thing after the other, carrying along what the target has said.

Consistency is promised to sessions, so a session has to be one: never two requests at a time (a user who is to do two
things at once has a second session, as with a second tab), and nothing more after a write whose outcome is unknown,
because that write may still take effect at any later time (Jepsen retires the process, for the same reason).
"""

from collections.abc import Callable, Mapping


class Session:
    """One logical process: its number in the whole run, whose it is, where that user is now, what it carries."""

    __slots__ = ("carried", "number", "region", "user")

    def __init__(self, number: int, user: int, region: str) -> None:
        self.number = number
        self.user = user
        self.region = region
        self.carried: dict[str, str] = {}

    def carry(self, headers: Mapping[str, str]) -> None:
        """These headers go with every later request of this session."""
        self.carried.update(headers)


class Sessions:
    """The sessions of one shard; their numbers are `first_number`, then every `number_step`-th."""

    def __init__(self, home_of: Callable[[int], str], *, first_number: int, number_step: int) -> None:
        self._home_of = home_of
        self._next = first_number
        self._step = number_step
        self._idle: dict[int, list[Session]] = {}

    def begin(self, user: int, *, fresh: bool = False) -> Session:
        """The user's latest session that is not busy, or a new one."""
        idle = self._idle.get(user)
        if idle and not fresh:
            return idle.pop()
        session = Session(self._next, user, self._home_of(user))
        self._next += self._step
        return session

    def end(self, session: Session, *, retire: bool) -> None:
        """The session's request has ended; after `retire` it never makes another one."""
        if not retire:
            self._idle.setdefault(session.user, []).append(session)
