"""A small history in which every promise is kept: what the self-test breaks, one promise at a time.

Two posts by one author, a reply in another region, a delete, likes, a write of unknown fate, and in the end a read of
everything in every region. Each operation has a name that says what it is there for.
"""

from dataclasses import replace

from harness.verify.consistency.history import Ending, History, Kind, Operation, history_of

REGIONS = ("us-east", "us-west", "europe")
IN_THE_END = ("p1", "p2", "reply", "last")
_POSTS, _LIKES = "posts of user-17", "likes"
_LASTS_S = 0.1


def _done(kind: Kind, session: int, at_s: float, region: str, *, of: str = _POSTS) -> Operation:
    return Operation(
        session=session,
        kind=kind,
        object=of,
        invoked_s=at_s,
        completed_s=at_s + _LASTS_S,
        asked=region,
        served=region,
    )


def _wrote(session: int, name: str, at_s: float, region: str = "us-east") -> Operation:
    return replace(_done(Kind.WRITE, session, at_s, region), id=name)


def _saw(session: int, *names: str, at_s: float, region: str = "us-east", final: bool = False) -> Operation:
    return replace(_done(Kind.READ, session, at_s, region), seen=names, final=final)


def _everywhere(first_session: int, what: str, *names: str, at_s: float, final: bool = False) -> dict[str, Operation]:
    return {
        f"{region} {what}": _saw(first_session + number, *names, at_s=at_s, region=region, final=final)
        for number, region in enumerate(REGIONS)
    }


def _liked(session: int, at_s: float, ending: Ending = Ending.OK) -> Operation:
    return replace(_done(Kind.INCREMENT, session, at_s, "us-east", of=_LIKES), amount=1.0, ending=ending)


def _counted(session: int, region: str) -> Operation:
    return replace(_done(Kind.READ, session, 100.0, region, of=_LIKES), amount=2.0, final=True)


SOUND: dict[str, Operation] = {
    "p1 is written": _wrote(1, "p1", 1.0),
    "p2 is written": _wrote(1, "p2", 2.0),
    "their author sees them": _saw(1, "p1", "p2", at_s=3.0),
    "europe shows p1": _saw(2, "p1", at_s=4.0, region="europe"),
    "europe shows both": _saw(2, "p1", "p2", at_s=5.0, region="europe"),
    "somebody reads both": _saw(3, "p1", "p2", at_s=5.0, region="europe"),
    "and replies": _wrote(3, "reply", 6.0, "europe"),
    "us-west shows all": _saw(4, "p1", "p2", "reply", at_s=7.0, region="us-west"),
    "nobody knows of this": replace(_wrote(5, "doubtful", 8.0), ending=Ending.INFO),
    "d is written": _wrote(6, "d", 8.0),
    **_everywhere(20, "shows d", "p1", "p2", "reply", "d", at_s=9.0),
    "d is deleted": replace(_done(Kind.DELETE, 6, 10.0, "us-east"), id="d"),
    **_everywhere(30, "shows it gone", "p1", "p2", "reply", at_s=11.0),
    "a stranger reads": _saw(40, "p1", "p2", "reply", at_s=12.0),
    "the last is written": _wrote(7, "last", 20.0, "us-west"),
    "a like": _liked(8, 20.0),
    "perhaps another": _liked(9, 20.0, Ending.INFO),
    **_everywhere(900, "in the end", *IN_THE_END, at_s=100.0, final=True),
    **{f"likes in {region}": _counted(50 + number, region) for number, region in enumerate(REGIONS)},
}


def sound_history() -> History:
    return history_of(SOUND.values(), regions=REGIONS)
