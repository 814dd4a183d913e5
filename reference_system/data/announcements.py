"""What replicas are told of changes, on one channel of Redis: whose page or whose everything they have to forget.

Published behind the change of Redis itself, in the same round trip, so who forgets and reads again reads what is new.
"""

from collections.abc import Callable

from reference_system.data.resp import Command

CHANNEL = "changed"
_PAGE, _EVERYTHING = "page", "everything"


def page_changed(user: str) -> Command:
    return ("PUBLISH", CHANNEL, f"{_PAGE} {user}")


def everything_changed(user: str) -> Command:
    return ("PUBLISH", CHANNEL, f"{_EVERYTHING} {user}")


def hear(text: str, *, page: Callable[[str], None], everything: Callable[[str], None]) -> None:
    """Call the one that a message is about, with the user; what is neither is nobody's business."""
    what, _, user = text.partition(" ")
    if what == _PAGE:
        page(user)
    elif what == _EVERYTHING:
        everything(user)
