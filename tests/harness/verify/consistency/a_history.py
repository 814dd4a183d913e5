"""Histories written by hand: each operation a line that says who did what, when and where.

    told(
        wrote(1, "p1", at_s=1.0, region="us-east"),
        saw(1, "p1", at_s=2.0, region="europe"),
    )

An operation takes a tenth of a second from `at_s` on unless it says otherwise.
"""

from collections.abc import Mapping, Sequence

from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.history import Ending, History, Kind, Operation, history_of

REGIONS = ("us-east", "us-west", "europe")
LASTS_S = 0.1
HERE = "us-east"
POSTS = "posts of user-17"


def wrote(
    session: int,
    id: str,
    *,
    at_s: float,
    region: str = HERE,
    object: str = POSTS,
    ending: Ending = Ending.OK,
    lasts_s: float = LASTS_S,
    key: str = "",
) -> Operation:
    return Operation(
        session=session,
        kind=Kind.WRITE,
        object=object,
        invoked_s=at_s,
        completed_s=at_s + lasts_s,
        ending=ending,
        asked=region,
        served=region,
        id=id,
        key=key,
    )


def deleted(
    session: int,
    id: str,
    *,
    at_s: float,
    region: str = HERE,
    object: str = POSTS,
    ending: Ending = Ending.OK,
) -> Operation:
    return Operation(
        session=session,
        kind=Kind.DELETE,
        object=object,
        invoked_s=at_s,
        completed_s=at_s + LASTS_S,
        ending=ending,
        asked=region,
        served=region,
        id=id,
    )


def saw(
    session: int,
    *ids: str,
    at_s: float,
    region: str = HERE,
    object: str = POSTS,
    whole: bool = True,
    final: bool = False,
    lasts_s: float = LASTS_S,
    ending: Ending = Ending.OK,
) -> Operation:
    """A read and what it showed; a full page if it is not whole."""
    return Operation(
        session=session,
        kind=Kind.READ,
        object=object,
        invoked_s=at_s,
        completed_s=at_s + lasts_s,
        ending=ending,
        asked=region,
        served=region,
        seen=ids,
        whole=whole,
        final=final,
    )


def finally_saw(region: str, *ids: str, at_s: float = 100.0, session: int = 0, object: str = POSTS) -> Operation:
    """The final read of a region, by a session of its own."""
    reader = session or 900 + REGIONS.index(region)
    return saw(reader, *ids, at_s=at_s, region=region, object=object, final=True)


def added(
    session: int,
    amount: float,
    *,
    at_s: float,
    region: str = HERE,
    ending: Ending = Ending.OK,
    lasts_s: float = LASTS_S,
) -> Operation:
    return Operation(
        session=session,
        kind=Kind.INCREMENT,
        object="likes",
        invoked_s=at_s,
        completed_s=at_s + lasts_s,
        ending=ending,
        asked=region,
        served=region,
        amount=amount,
    )


def counted(session: int, amount: float, *, at_s: float, region: str = HERE, final: bool = False) -> Operation:
    return Operation(
        session=session,
        kind=Kind.READ,
        object="likes",
        invoked_s=at_s,
        completed_s=at_s + LASTS_S,
        asked=region,
        served=region,
        amount=amount,
        final=final,
    )


def a_history(
    *operations: Operation,
    regions: Sequence[str] = REGIONS,
    seeded: Sequence[str] = (),
    order: Mapping[str, float] | None = None,
    keys: Mapping[str, str] | None = None,
    initial: Mapping[str, float] | None = None,
) -> History:
    return history_of(operations, regions=regions, seeded=seeded, order=order, keys=keys, initial=initial)


def told(
    *operations: Operation,
    regions: Sequence[str] = REGIONS,
    seeded: Sequence[str] = (),
    order: Mapping[str, float] | None = None,
    keys: Mapping[str, str] | None = None,
    initial: Mapping[str, float] | None = None,
) -> Answers:
    """The history, worked out as the checks want it."""
    return answers_of(a_history(*operations, regions=regions, seeded=seeded, order=order, keys=keys, initial=initial))
