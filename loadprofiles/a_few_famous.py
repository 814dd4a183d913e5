"""A few are known to most users, some post much, some little; and readers who follow all of them, and nobody else.

The readers have just signed up, so that they follow the ten first users: their home timelines show the newest posts of
those and nothing besides. So each page tells of every recent post, whoever wrote it, whether it has come. A post
carries its own key in its text.
"""

import re
from uuid import uuid4

from harness.errors import LoadError
from harness.load.answer import Answer
from harness.load.intent import adds
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

READERS = 60
people = Zipf(population=READERS, cast=READERS, exponent=0.0)  # who reads; everybody reads as much

CELEBRITIES, WELL_KNOWN, ORDINARY = (1, 2, 3, 4), (5, 6), (7, 8, 9, 10)  # seeded users: the ten that readers follow
AUTHOR = 1_000  # the author user-7 acts as 1,007; below are readers

HOME = "what user-1 to user-10 say"
PAGE = 20  # posts of a home timeline; with fewer that is all there is
WORDS = ("coffee", "football", "rain", "music", "election", "holiday", "train", "chess")
SIGN_UPS_AT_ONCE = 3
KEY = re.compile(r"#(\S+)$")


def prepare(lobby: Lobby) -> None:
    """Readers sign up and authors log in before the clock starts."""

    def sign_up(reader: int) -> None:
        answer = lobby.post("/auth/signup", {"name": f"reader-{uuid4().hex}", "password": "password"})
        lobby.identify(reader, _identity(answer, f"reader {reader}"))

    lobby.for_each(sign_up, at_once=SIGN_UPS_AT_ONCE)
    for author in (*CELEBRITIES, *WELL_KNOWN, *ORDINARY):
        answer = lobby.post("/auth/login", {"name": f"user-{author}", "password": f"password-{author}"})
        lobby.identify(AUTHOR + author, _identity(answer, f"user-{author}"))


class Reader(Visitor):
    """Looks what is new, and now and then at somebody's profile."""

    share = 0.925

    @does("home", route="GET /timeline/home", share=0.85, priority=2)
    def reads_home(self, site: Site) -> None:
        _read_home(site, self.user)

    @does("profile", route="GET /users/{id}/profile", share=0.15, priority=2)
    def looks_at_somebody(self, site: Site) -> None:
        site.get(f"/users/user-{1 + self.draw % 3000}/profile", user=self.user)

    @does("last_look", route="GET /timeline/home", share=1.0, priority=2, phase="final_reads", fresh=True)
    def looks_again(self, site: Site) -> None:
        _read_home(site, self.user)


class Celebrity(Visitor):
    """Followed by most."""

    share = 0.02

    @does("celebrity_post", route="POST /tweets/create", share=1.0, priority=1)
    def posts(self, site: Site) -> None:
        _post(site, self, self.pick(CELEBRITIES))


class WellKnown(Visitor):
    """Followed by a quarter, and never silent."""

    share = 0.04

    @does("busy_post", route="POST /tweets/create", share=1.0, priority=1)
    def posts(self, site: Site) -> None:
        _post(site, self, self.pick(WELL_KNOWN))


class Ordinary(Visitor):
    """Says something now and then, to a few hundred."""

    share = 0.015

    @does("ordinary_post", route="POST /tweets/create", share=1.0, priority=1)
    def posts(self, site: Site) -> None:
        _post(site, self, self.pick(ORDINARY))


def _identity(answer: Answer, who: str) -> dict[str, str]:
    if not answer.ok:
        raise LoadError(f"{who} could not come in: status {answer.status}.")
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def _post(site: Site, visitor: Visitor, author: int) -> None:
    key = f"{site.run}-{visitor.number}"
    tweet = {"text": f"{visitor.pick(WORDS)} #{key}"}
    headers = {"Idempotency-Key": key}
    site.post("/tweets/create", tweet, user=AUTHOR + author, headers=headers, intent=adds(key, to=HOME))


def _read_home(site: Site, reader: int) -> None:
    answer = site.get("/timeline/home", user=reader)
    if answer.ok:
        posts = sorted(answer.json()["posts"], key=lambda post: post["created_at"], reverse=True)
        keys = [found[1] for post in posts if (found := KEY.search(post["text"]))]
        answer.read(HOME, keys, whole=len(posts) < PAGE)
