"""How a profile is written, and how it is read: a Python file that says what users do, in their words.

    people = Zipf(population=3000, cast=300)

    class Reader(Visitor):
        share = 0.7

        @does("home", route="GET /timeline/home", share=0.8, priority=2)
        def reads_home(self, site):
            answer = site.get("/timeline/home", user=self.user)
            if answer.ok:
                answer.saw("analytics", working="analytics_event" in answer.json())

An operation asks the target for exactly one thing, and looks at what came. Shares are relative: of the visitors in the
file who do anything in a phase, of the operations in their class. Nothing here knows Locust, so that a plan can be made
without it.
"""

import ast
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import ExperimentError
from harness.experiment.phases import DISTURBED, FINAL_READS
from harness.load.answer import Answer
from harness.load.intent import NOTHING, Intent
from harness.plan import OperationSpec

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING_METHODS = ("GET", "HEAD")
MOST_RETRIES = 9
OWN_OPERATIONS = (DISTURBED, FINAL_READS)  # phases that may have operations of their own
PHASES = ("", *OWN_OPERATIONS)

Item = TypeVar("Item")


class Site(Protocol):
    """The target as one visitor meets it at one moment. A request that gets no complete answer does not return."""

    @property
    def run(self) -> str:
        """The run's id: for names and keys that must differ between two runs of the same seed."""
        ...

    @property
    def region(self) -> str:
        """Where the visitor is now; empty where the target has one region only."""
        ...

    def travel(self, region: str) -> None:
        """From here on, and for the rest of the session, the visitor is in another region."""
        ...

    def carry(self, headers: Mapping[str, str]) -> None:
        """These headers go with every later request of this session."""
        ...

    def unread(self) -> tuple[str, str] | None:
        """For final reads: an object that this run has written to, and a region in which it is to be read; None where
        nothing was written."""
        ...

    def get(self, path: str, *, user: int | None = None) -> Answer: ...

    def post(
        self,
        path: str,
        body: object,
        *,
        user: int | None = None,
        headers: dict[str, str] | None = None,
        intent: Intent = NOTHING,
    ) -> Answer: ...

    def put(self, path: str, body: object, *, user: int | None = None, intent: Intent = NOTHING) -> Answer: ...

    def delete(self, path: str, *, user: int | None = None, intent: Intent = NOTHING) -> Answer: ...

    def websocket(self, path: str, *, user: int | None = None) -> Answer:
        """Open a WebSocket, read one frame, close. Status 101 with the frame as body, or the refusal as it came."""
        ...


class Lobby(Protocol):
    """The target before the clock starts: what `prepare` gets. Its requests are not part of the load."""

    @property
    def cast(self) -> Sequence[int]:
        """The users who will act in this run, the busiest first."""
        ...

    def post(self, path: str, body: object) -> Answer: ...

    def get(self, path: str) -> Answer: ...

    def for_each(self, work: Callable[[int], None], *, at_once: int) -> None:
        """Call `work` for every user of the cast, so many at once; the first error ends it."""
        ...

    def identify(self, user: int, headers: dict[str, str]) -> None:
        """These headers go with every later request of this user."""
        ...


class Visitor:
    """A user at the moment of one arrival. Subclasses say what they do; `share` is their part of all visitors."""

    share: ClassVar[float] = 1.0
    __slots__ = ("draw", "home", "number", "user")

    def __init__(self, user: int, number: int, draw: int, home: str = "") -> None:
        self.user = user
        self.home = home  # the user's home region; empty where the target has one region only
        self.number = number  # of this arrival in the whole run, over all shards
        self.draw = draw  # this arrival's own chance, 32 bits: the same in every run of the same seed

    def pick(self, choices: Sequence[Item]) -> Item:
        """One of the choices, by this arrival's chance."""
        return choices[self.draw % len(choices)]


class Doing(NamedTuple):
    """What `does` notes on a function: the operation that it performs."""

    name: str
    route: str
    share: float
    priority: int
    writes: bool
    phase: str
    fresh: bool
    retries: int


Operation = Callable[[Any, Any], None]


def does(
    name: str,
    *,
    route: str,
    share: float,
    priority: int,
    writes: bool | None = None,
    phase: str = "",
    fresh: bool = False,
    retries: int = 0,
) -> Callable[[Operation], Operation]:
    """Mark a method of a visitor as an operation. A write is one whose loss or doubling would matter; by default
    whatever is not GET or HEAD. A WebSocket's route is its GET. With `phase="final_reads"` or `phase="disturbed"` it is
    done in that phase only, and nothing else is there; a `fresh` one is the first and only one of its session, as a
    stranger's. What is failed, unknown or shed is sent again at once, up to `retries` times while the load lasts, each
    time as a request of its own in the record."""

    def mark(function: Operation) -> Operation:
        method = route.partition(" ")[0]
        changes = method not in READING_METHODS if writes is None else writes
        function.__dict__["doing"] = Doing(name, route, share, priority, changes, phase, fresh, retries)
        return function

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipf:
    """Who acts: `cast` of the users 1 … `population`, the k-th of them in proportion to 1 / k ** `exponent`. Users are
    dealt out to the regions of `homes` in turns: user 1 lives in the first."""

    population: int
    cast: int
    exponent: float = 1.0
    homes: tuple[str, ...] = ()

    def home_of(self, user: int) -> str:
        return self.homes[(user - 1) % len(self.homes)] if self.homes else ""

    def members(self, seed: int) -> tuple[int, ...]:
        """The cast by rank, the busiest first."""
        chance = np.random.default_rng(np.random.SeedSequence([seed, _CAST_STREAM]))
        chosen = chance.choice(np.arange(1, self.population + 1), size=self.cast, replace=False)
        return tuple(chosen.tolist())

    def draw(self, chance: np.random.Generator, count: int, seed: int) -> NDArray[np.int64]:
        weights = 1.0 / np.arange(1, self.cast + 1) ** self.exponent
        ranks = chance.choice(self.cast, size=count, p=weights / weights.sum())
        return np.array(self.members(seed), dtype=np.int64)[ranks]


_CAST_STREAM = 1_000_003  # streams of the same seed that must not repeat each other: far above any shard's number
_VISIT_STREAM = 1_000_033


@dataclass(frozen=True, slots=True)
class Action:
    """One method of one visitor class: what an arrival can turn out to be, and how likely (1 in all of a phase)."""

    visitor: type[Visitor]
    perform: Operation
    operation: str
    share: float
    phase: str
    fresh: bool
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile read and checked. `operations` merges actions of the same name over all visitors."""

    path: Path
    people: Zipf
    actions: tuple[Action, ...]
    operations: tuple[OperationSpec, ...]
    prepare: Callable[[Lobby], None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Who does what at each arrival of one shard, drawn before the run."""

    actions: NDArray[np.int16]
    users: NDArray[np.int64]
    draws: NDArray[np.uint32]


def draw_visits(
    profile: Profile, count: int, *, seed: int, shard: int, phases: Mapping[str, slice] = MappingProxyType({})
) -> Visits:
    """The same for the same seed and shard, whatever the target does. `phases` are the arrivals of those that may have
    operations of their own: in one that has some only these are done."""
    chance = np.random.default_rng(np.random.SeedSequence([seed, shard, _VISIT_STREAM]))
    actions = _drawn(profile, chance, count, "")
    own = {action.phase for action in profile.actions}
    for phase, arrivals in phases.items():
        if phase in own and len(actions[arrivals]):
            actions[arrivals] = _drawn(profile, chance, len(actions[arrivals]), phase)
    return Visits(
        actions=actions,
        users=profile.people.draw(chance, count, seed),
        draws=chance.integers(0, 2**32, size=count, dtype=np.uint32),
    )


def _drawn(profile: Profile, chance: np.random.Generator, count: int, phase: str) -> NDArray[np.int16]:
    shares = np.array([action.share if action.phase == phase else 0.0 for action in profile.actions])
    return chance.choice(len(shares), size=count, p=shares / shares.sum()).astype(np.int16)


def describe(path: Path) -> tuple[OperationSpec, ...]:
    """What users of the profile do; shares add up to 1 in a phase. ExperimentError with file and line otherwise."""
    return load_profile(path).operations


def load_profile(path: Path) -> Profile:
    """Run the profile's file and check it; ExperimentError with file and line if it is broken."""
    source = _read(path)
    words = _run(path, source)
    lines = _class_lines(source)
    people = words.get("people")
    if not isinstance(people, Zipf):
        raise ExperimentError(f"{path}: a profile says who acts: people = Zipf(population=…, cast=…).")
    _check_people(people, path)
    actions = _actions(words, path, lines)
    prepare = words.get("prepare")
    if prepare is not None and not callable(prepare):
        raise ExperimentError(f"{path}: prepare must be a function that takes the site.")
    return Profile(path=path, people=people, actions=actions, operations=_merged(actions, path), prepare=prepare)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path}: this profile cannot be read ({error}).") from error


def _run(path: Path, source: str) -> dict[str, Any]:
    module = types.ModuleType(f"profile_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 (a profile is a program, by design)
    except SyntaxError as error:
        raise ExperimentError(f"{path}, line {error.lineno}: {error.msg}.") from error
    except Exception as error:  # whatever a person's program raises is theirs to mend, and they need the line
        raise ExperimentError(f"{path}, line {_line_in(path, error)}: {type(error).__name__}: {error}") from error
    return module.__dict__


def _line_in(path: Path, error: Exception) -> int:
    """The last line of the profile that the error passed through."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _class_lines(source: str) -> dict[str, int]:
    return {node.name: node.lineno for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _check_people(people: Zipf, path: Path) -> None:
    if not 1 <= people.cast <= people.population or people.exponent < 0:
        raise ExperimentError(f"{path}: {people}: wanted 1 <= cast <= population and exponent >= 0.")


def _actions(words: dict[str, Any], path: Path, lines: dict[str, int]) -> tuple[Action, ...]:
    visitors = [
        word for name, word in words.items() if name in lines and isinstance(word, type) and issubclass(word, Visitor)
    ]
    doings = {visitor: _operations_of(visitor) for visitor in visitors}
    doings = {visitor: found for visitor, found in doings.items() if found}
    if not doings:
        raise ExperimentError(f"{path}: no visitor does anything: write a class …(Visitor) with @does on its methods.")
    for visitor, found in doings.items():
        _check_share(visitor.share, path, lines[visitor.__name__], visitor.__name__)
        for function in found:
            _check_doing(_doing(function), path, function.__code__.co_firstlineno)
    if all(_doing(function).phase for found in doings.values() for function in found):
        raise ExperimentError(
            f"{path}: nothing is done but in {' and '.join(OWN_OPERATIONS)}, and every run begins before."
        )
    return tuple(action for phase in PHASES for action in _actions_of(doings, phase))


def _actions_of(doings: dict[type[Visitor], list[Any]], phase: str) -> Iterator[Action]:
    """What is done in a phase; the shares add up to 1 over all visitors who do anything in it."""
    acting = {visitor: [one for one in found if _doing(one).phase == phase] for visitor, found in doings.items()}
    acting = {visitor: found for visitor, found in acting.items() if found}
    all_visitors = sum(visitor.share for visitor in acting)
    for visitor, found in acting.items():
        inside = sum(_doing(function).share for function in found)
        for function in found:
            doing = _doing(function)
            share = visitor.share / all_visitors * doing.share / inside
            yield Action(visitor, function, doing.name, share, phase, doing.fresh, doing.retries)


def _operations_of(visitor: type[Visitor]) -> list[Any]:
    """The marked methods, inherited ones too, in the order they are written."""
    found: dict[str, Any] = {}
    for one in reversed(visitor.__mro__):
        found |= {name: value for name, value in vars(one).items() if hasattr(value, "doing") or name in found}
    return [value for value in found.values() if hasattr(value, "doing")]


def _doing(function: Any) -> Doing:
    doing: Doing = function.doing
    return doing


def _check_share(share: object, path: Path, line: int, whose: str) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < float("inf"):
        raise ExperimentError(f"{path}, line {line}: the share of {whose} is {share!r}, wanted a number above 0.")


def _check_doing(doing: Doing, path: Path, line: int) -> None:
    _check_share(doing.share, path, line, f'"{doing.name}"')
    method, _, where = doing.route.partition(" ")
    if method not in METHODS or not where.startswith("/"):
        raise ExperimentError(
            f'{path}, line {line}: the route "{doing.route}" of "{doing.name}" is not a method and a path. '
            f'Write it like "GET /timeline/home"; known methods: {", ".join(METHODS)}.'
        )
    if doing.priority not in (1, 2, 3, 4):
        raise ExperimentError(f'{path}, line {line}: the priority of "{doing.name}" is {doing.priority!r}, wanted 1–4.')
    if isinstance(doing.retries, bool) or not isinstance(doing.retries, int) or not 0 <= doing.retries <= MOST_RETRIES:
        raise ExperimentError(
            f'{path}, line {line}: the retries of "{doing.name}" are {doing.retries!r}, wanted 0–{MOST_RETRIES}.'
        )
    if doing.phase not in PHASES:
        raise ExperimentError(
            f'{path}, line {line}: the phase of "{doing.name}" is {doing.phase!r}; '
            f"only {' and '.join(OWN_OPERATIONS)} may have operations of their own."
        )


def _merged(actions: tuple[Action, ...], path: Path) -> tuple[OperationSpec, ...]:
    """One spec for each operation, however many visitors do it; they must agree on what it is."""
    specs: dict[str, OperationSpec] = {}
    for action in actions:
        doing = _doing(action.perform)
        before = specs.get(doing.name)
        spec = OperationSpec(
            name=doing.name,
            route=doing.route,
            priority=doing.priority,
            share=action.share + (before.share if before else 0.0),
            writes=doing.writes,
            phase=doing.phase,
        )
        if before and msgspec.structs.replace(before, share=spec.share) != spec:
            line = action.perform.__code__.co_firstlineno
            raise ExperimentError(
                f'{path}, line {line}: "{doing.name}" is described differently elsewhere in this file: '
                f"{before.route}, priority {before.priority}, writes {before.writes}, phase {before.phase or 'any'}."
            )
        specs[doing.name] = spec
    return tuple(specs.values())
