"""Many look at the same few: strangers who do not say who they are, readers, and people who take something away.

Who is looked at most is who is busiest, by Zipf's law. With a thousandth of a real system's requests each page would
be asked for a thousand times less often; so that caches meet popular pages as they would there, popularity is steeper.

What a page shows is told to the record as ids: posts of this run and biographies by their keys, authors by who looks.
So whatever somebody takes away, by a block, a mute, an unfollow, an edit, a deletion or by having everything erased,
has an id that no page may show afterwards. Nobody takes the same away twice, and who erased everything writes no more.
"""

import re
from collections import Counter, defaultdict
from itertools import accumulate

from harness.errors import LoadError
from harness.load.answer import Answer
from harness.load.intent import removes
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

people = Zipf(population=3000, cast=80, exponent=0.8)

POPULARITY = 1.8  # exponent of who is looked at
WORDS = ("coffee", "football", "rain", "music", "election", "holiday", "train", "chess")
ASSETS = ("page.html", "page.css", "page.js")
LOGINS_AT_ONCE = 3  # at 25 ms each 120 a second: below the target rate of even two replicas
TAKEN_AT_MOST = 6  # by one user: a timeline without anybody in it shows nothing
KEY = re.compile(r"#(\S+)$")
PAGES = "pages"  # what is taken away is taken away from all of them

popular: list[int] = []  # the cast, the most looked at first
up_to: list[float] = []  # the share of looks at these
shown: defaultdict[int, dict[str, None]] = defaultdict(dict)  # by viewer: authors on the home timeline, latest last
gone: defaultdict[int, list[str]] = defaultdict(list)  # by viewer: whom they have blocked, muted or unfollowed
bios: dict[int, str] = {}  # by user: the key of the biography that was last acknowledged
seen: set[str] = set()  # authors of whom some page has shown something
erased: set[int] = set()  # users who had everything erased, or asked for it
under_way: Counter[int] = Counter()  # by user: posts and edits that may yet be done
posted: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)  # by author: keys and the target's ids


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""
    popular.extend(lobby.cast)
    weights = [1 / rank**POPULARITY for rank in range(1, len(popular) + 1)]
    up_to.extend(sum_ / sum(weights) for sum_ in accumulate(weights))

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", {"name": f"user-{user}", "password": f"password-{user}"})
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Stranger(Visitor):
    """Follows a link. Nobody knows who it is, so what anybody may see may come from any cache."""

    share = 0.50

    @does("trending", route="GET /trending", share=5, priority=4)
    def sees_what_is_going_on(self, site: Site) -> None:
        site.get("/trending")

    @does("picture", route="GET /media/{number}.svg", share=2, priority=3)
    def sees_a_picture(self, site: Site) -> None:
        answer = site.get(f"/media/{_somebody(self)}.svg?width=320")
        if answer.ok and not answer.body.startswith(b"<svg "):
            answer.wrong("no picture")

    @does("asset", route="GET /assets/{name}", share=1, priority=3)
    def loads_the_page(self, site: Site) -> None:
        answer = site.get(f"/assets/{self.pick(ASSETS)}")
        if answer.ok and not answer.body:
            answer.wrong("nothing in it")

    @does("public_profile", route="GET /users/{id}/profile", share=4, priority=2)
    def looks_at_somebody(self, site: Site) -> None:
        _look_at(site, _somebody(self), viewer=None)


class Reader(Visitor):
    """Is logged in, and looks again at those of whom there should be nothing left to see."""

    share = 0.494

    @does("home", route="GET /timeline/home", share=3, priority=2)
    def reads_home(self, site: Site) -> None:
        _read_home(site, self.user)

    @does("profile", route="GET /users/{id}/profile", share=5, priority=2)
    def looks_at_somebody(self, site: Site) -> None:
        _look_at(site, _somebody(self), viewer=self.user)

    @does("second_look", route="GET /users/{id}/profile", share=1, priority=2)
    def looks_again(self, site: Site) -> None:
        whom = gone[self.user]
        _look_at(site, _number(self.pick(whom)) if whom else _somebody(self), viewer=self.user)

    @does("search", route="GET /search/posts", share=1, priority=3)
    def searches(self, site: Site) -> None:
        word = self.pick(WORDS)
        answer = site.get(f"/search/posts?q={word}", user=self.user)
        if answer.ok:
            posts = answer.json().get("results", [])
            answer.read(
                f"search for {word}", [*_authors(posts, self.user), *_keys(posts), *_all_of(posts)], whole=False
            )


class Writer(Visitor):
    """Says something, changes it, or does not want to see somebody any more. Who has nobody to take away reads home."""

    share = 0.006

    @does("post", route="POST /tweets/create", share=4, priority=1)
    def posts(self, site: Site) -> None:
        if self.user in erased:
            _read_home(site, self.user)
            return
        key = _key(site, self)
        tweet = {"text": f"{self.pick(WORDS)} #{key}"}
        under_way[self.user] += 1
        answer = site.post("/tweets/create", tweet, user=self.user, headers={"Idempotency-Key": f"{site.run}-{key}"})
        if answer.status == 201:
            posted[self.user].append((key, answer.json()["id"]))
        _is_over(self.user, answer)

    @does("delete", route="DELETE /tweets/{id}", share=1, priority=3)
    def takes_back(self, site: Site) -> None:
        if not posted[self.user]:
            _read_home(site, self.user)
            return
        key, post = posted[self.user].pop(0)
        site.delete(f"/tweets/{post}", user=self.user, intent=removes(key, of=PAGES))

    @does("edit_profile", route="PUT /users/{id}/profile", share=1, priority=2)
    def edits(self, site: Site) -> None:
        """The biography that was acknowledged before is gone, or the one that was there at first."""
        if self.user in erased:
            _read_home(site, self.user)
            return
        key, before = _key(site, self), bios.get(self.user, _first_bio(self.user))
        gone_bio = removes(before, of=PAGES)
        under_way[self.user] += 1
        answer = site.put(f"/users/user-{self.user}/profile", {"bio": f"#{key}"}, user=self.user, intent=gone_bio)
        _is_over(self.user, answer)
        if answer.ok:
            bios[self.user] = key

    @does("erase", route="DELETE /users/{id}/profile", share=1, priority=2)
    def has_everything_erased(self, site: Site) -> None:
        """Only of whom there is something to be seen, and while nothing is under way that would be seen later."""
        name = f"user-{self.user}"
        if name not in seen or self.user in erased or under_way[self.user]:
            _read_home(site, self.user)
            return
        erased.add(self.user)
        site.delete(f"/users/{name}/profile", user=self.user, intent=removes(_all(name), of=PAGES))

    @does("unfollow", route="DELETE /users/{id}/follow", share=1, priority=3)
    def unfollows(self, site: Site) -> None:
        author = _to_take_away(self.user)
        if author is None:
            _read_home(site, self.user)
            return
        site.delete(f"/users/{author}/follow", user=self.user, intent=removes(_at_home(author, self.user), of=PAGES))

    @does("block", route="PUT /users/{id}/block", share=1, priority=3)
    def blocks(self, site: Site) -> None:
        _hide(site, self.user, "block")

    @does("mute", route="PUT /users/{id}/mute", share=1, priority=3)
    def mutes(self, site: Site) -> None:
        _hide(site, self.user, "mute")


def _read_home(site: Site, user: int) -> None:
    answer = site.get("/timeline/home", user=user)
    if answer.ok:
        posts = answer.json()["posts"]
        authors = dict.fromkeys(post["author"] for post in posts)
        shown[user].update(authors)
        at_home = [_at_home(author, user) for author in authors]
        shown_ids = [*_authors(posts, user), *at_home, *_keys(posts), *_all_of(posts)]
        answer.read(f"home of user-{user}", shown_ids, whole=False)


def _look_at(site: Site, whom: int, *, viewer: int | None) -> None:
    answer = site.get(f"/users/user-{whom}/profile", user=viewer)
    if answer.ok:
        page = answer.json()
        authors = [] if viewer is None else _authors(page["posts"], viewer)
        text = page["user"].get("bio")
        bio = (KEY.findall(text) or [_first_bio(whom)]) if text else []
        anything = _all_of([*page["posts"], *([{"author": f"user-{whom}"}] if text else [])])
        answer.read(f"profile of user-{whom}", [*authors, *bio, *_keys(page["posts"]), *anything], whole=False)


def _hide(site: Site, user: int, how: str) -> None:
    author = _to_take_away(user)
    if author is None:
        _read_home(site, user)
        return
    intent = removes(_for(author, user), of=PAGES)
    site.put(f"/users/{author}/{how}", {}, user=user, intent=intent)


def _is_over(user: int, answer: Answer) -> None:
    """What an answer says was done or refused; with any other it may happen yet."""
    if 0 < answer.status < 500:
        under_way[user] -= 1


def _to_take_away(user: int) -> str | None:
    """Who is on the user's home timeline, is not the user, and was not taken away yet."""
    if len(gone[user]) >= TAKEN_AT_MOST:
        return None
    left = [author for author in shown[user] if author not in gone[user] and author != f"user-{user}"]
    if not left:
        return None
    gone[user].append(left[-1])
    return left[-1]


def _somebody(visitor: Visitor) -> int:
    """Whom this visitor looks at: the k-th of the cast in proportion to 1 / k ** POPULARITY."""
    chance = visitor.draw / 2**32
    return next(user for user, share in zip(popular, up_to, strict=True) if chance < share or user == popular[-1])


def _authors(posts: list[dict[str, str]], viewer: int) -> list[str]:
    return [_for(author, viewer) for author in dict.fromkeys(post["author"] for post in posts)]


def _keys(posts: list[dict[str, str]]) -> list[str]:
    """Of this run's posts; what was there before has none."""
    return [found for post in posts for found in KEY.findall(post["text"])]


def _all_of(posts: list[dict[str, str]]) -> list[str]:
    """Whatever it is that these say, it is something of their authors'."""
    authors = dict.fromkeys(post["author"] for post in posts)
    seen.update(authors)
    return [_all(author) for author in authors]


def _all(author: str) -> str:
    return f"anything of {author}"


def _first_bio(user: int) -> str:
    """What was written before any run has no key."""
    return f"first biography of user-{user}"


def _for(author: str, viewer: int) -> str:
    return f"{author} for user-{viewer}"


def _at_home(author: str, viewer: int) -> str:
    return f"{author} at home of user-{viewer}"


def _key(site: Site, visitor: Visitor) -> str:
    """Of this run alone: the target may be up since before."""
    return f"{site.run[-4:]}-{visitor.number}"


def _number(name: str) -> int:
    return int(name.removeprefix("user-"))
