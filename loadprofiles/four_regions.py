"""Users of four regions: most are at home, some travel, and strangers look from elsewhere at what was just written.

What each operation shows of the posts of a user and of what is counted of a post is what the consistency checks go by.
A post carries its own key in its text, so that every reader can tell which one it is.
"""

import re
from collections import defaultdict
from typing import NamedTuple

from harness.errors import LoadError
from harness.load.answer import Answer
from harness.load.intent import NOTHING, Intent, adds, raises, removes
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

REGIONS = ("us-east", "us-west", "europe", "asia-pacific")
PEOPLE = 3000
# Much flatter than Zipf's law: nobody posts more than one page can show, so that in the end all can be looked at.
people = Zipf(population=PEOPLE, cast=100, exponent=0.2, homes=REGIONS)

WORDS = ("coffee", "football", "rain", "music", "election", "holiday", "train", "chess")
LOGINS_AT_ONCE = 3  # at 25 ms each 120 a second: below the target rate of even two replicas
DOUBTED_POSTS = 4  # of the latest of each user: as old as a fail-over takes
LIKED_POSTS = 1  # the first of each user: few counters that are raised often say more than many that are raised once
RETWEETED_POSTS = 10  # the first of those
FAVOURITE_FOR = 1500  # visits of all users: 25 s at 60 a second, as long as a cut
PROFILE_PAGE = 20  # a profile with fewer posts shows all there are
COUNTERS = {"like": "likes", "retweet": "retweets"}  # what raises it → what shows it
KEY = re.compile(r"#(\S+)$")


class Posted(NamedTuple):
    """A post of this run: whose, the client's own key, and the target's id."""

    author: int
    key: str
    post: str


likeable: dict[str, Posted] = {}  # by key; never deleted
shown: defaultdict[str, dict[str, Posted]] = defaultdict(dict)  # those that somebody has seen, by region
deletable: defaultdict[int, list[Posted]] = defaultdict(list)  # by author
again: defaultdict[int, dict[str, str]] = defaultdict(dict)  # by author: keys and texts that may be sent once more
doubted: set[str] = set()  # keys that were sent once more: which post they stand for is not known
taken_back: dict[str, Posted] = {}  # by key
still_there: dict[str, Posted] = {}  # by region: taken back, and shown there since


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", {"name": f"user-{user}", "password": f"password-{user}"})
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Reader(Visitor):
    """Looks at timelines where the user is."""

    share = 0.29

    @does("home", route="GET /timeline/home", share=4, priority=2)
    def reads_home(self, site: Site) -> None:
        site.get("/timeline/home", user=self.user)

    @does("own_profile", route="GET /users/{id}/profile", share=4, priority=2)
    def reads_own_profile(self, site: Site) -> None:
        """The page that a write is expected on at once, through the caches."""
        answer = site.get(f"/users/user-{self.user}/profile", user=self.user)
        if _shows_own_writes(answer):
            posts = answer.json()["posts"]
            answer.read(_posts_of(self.user), _keys(answer, posts), whole=len(posts) < PROFILE_PAGE)

    @does("own_posts", route="GET /users/{id}/posts", share=2, priority=3)
    def lists_own_posts(self, site: Site) -> None:
        _list_posts(site, self.user, user=self.user)


class Writer(Visitor):
    """Has something to say, likes and retweets what others say, and takes back what was said, or who was followed, in
    haste."""

    share = 0.44

    @does("post", route="POST /tweets/create", share=6, priority=1)
    def posts(self, site: Site) -> None:
        _post(site, self, f"{site.run}-{self.number}")

    @does("like", route="POST /tweets/{id}/like", share=2.4, priority=3)
    def likes(self, site: Site) -> None:
        """What can be seen from here. First of all what its author has taken back without this region knowing: likes of
        that count for nothing, and must not bring it back. Before there is anything, a post from before the run."""
        if gone := still_there.pop(site.region, None):
            _raise(site, self, "like", gone.post)
            return
        _raise_one(site, self, "like", [*shown[site.region].values()])

    @does("retweet", route="POST /tweets/{id}/retweet", share=0.6, priority=3)
    def retweets(self, site: Site) -> None:
        """What many have liked, where it can be seen from here."""
        some = [*likeable][:RETWEETED_POSTS]
        _raise_one(site, self, "retweet", [shown[site.region][key] for key in some if key in shown[site.region]])

    @does("delete", route="DELETE /tweets/{id}", share=1, priority=3)
    def takes_back(self, site: Site) -> None:
        """Who has nothing to take back looks whether there is something."""
        if not deletable[self.user]:
            _list_posts(site, self.user, user=self.user)
            return
        posted = deletable[self.user].pop(0)
        del again[self.user][posted.key]  # a post that was taken back must not be sent again
        gone = removes(posted.key, of=_posts_of(self.user))
        answer = site.delete(f"/tweets/{posted.post}", user=self.user, intent=gone)
        _remember(site, answer)
        if answer.ok:
            taken_back[posted.key] = posted

    @does("follow", route="PUT /users/{id}/follow", share=2.5, priority=3)
    def follows(self, site: Site) -> None:
        _remember(site, site.put(f"/users/user-{_favourite_of(self)}/follow", {}, user=self.user))

    @does("unfollow", route="DELETE /users/{id}/follow", share=2.5, priority=3)
    def unfollows(self, site: Site) -> None:
        """The same one, so that regions that do not hear of each other change the same row."""
        _remember(site, site.delete(f"/users/user-{_favourite_of(self)}/follow", user=self.user))


class Doubter(Visitor):
    """Has posted, is not sure whether it went through, and sends the same again from elsewhere."""

    share = 0.06

    @does("retry", route="POST /tweets/create", share=1, priority=1, fresh=True)
    def sends_again(self, site: Site) -> None:
        site.travel(self.pick([region for region in REGIONS if region != self.home]))
        latest = [*again[self.user].items()][-DOUBTED_POSTS:]
        key, text = self.pick(latest) if latest else (f"{site.run}-{self.number}", "")
        if text:
            doubted.add(key)
            deletable[self.user] = [posted for posted in deletable[self.user] if posted.key != key]
        _post(site, self, key, text=text)


class Traveller(Visitor):
    """Is in another region than before, with the same session: what was written at home is expected there too."""

    share = 0.08

    @does("arrival", route="GET /users/{id}/posts", share=2, priority=3)
    def arrives(self, site: Site) -> None:
        site.travel(self.pick([region for region in REGIONS if region != site.region]))
        _list_posts(site, self.user, user=self.user)

    @does("return", route="GET /users/{id}/profile", share=1, priority=2)
    def returns(self, site: Site) -> None:
        site.travel(self.home)
        Reader.reads_own_profile(self, site)  # type: ignore[arg-type]


class Stranger(Visitor):
    """Has no session to rely on, and looks from any region at what others have written."""

    share = 0.13

    @does("strange_look", route="GET /users/{id}/posts", share=3, priority=3, fresh=True)
    def looks(self, site: Site) -> None:
        site.travel(self.pick(REGIONS))
        _list_posts(site, self.user)

    @does("strange_count", route="GET /users/{id}/posts", share=1, priority=3, fresh=True)
    def counts(self, site: Site) -> None:
        site.travel(self.pick(REGIONS))
        if likeable:
            kind = self.pick([*COUNTERS.values()])
            _count(site, kind, self.pick([*likeable.values()][: None if kind == "likes" else RETWEETED_POSTS]))
        else:
            _list_posts(site, self.user)


class Auditor(Visitor):
    """In the end: everything that was written to, in every region, as a stranger."""

    @does("audit", route="GET /users/{id}/posts", share=1, priority=3, phase="final_reads", fresh=True)
    def audits(self, site: Site) -> None:
        unread = site.unread()
        if unread is None:
            _list_posts(site, self.user)
            return
        what, region = unread
        site.travel(region)
        kind, _, name = what.partition(" of ")
        if kind == "posts":
            _list_posts(site, int(name.removeprefix("user-")))
        else:
            _count(site, kind, likeable[name])


def _posts_of(user: int) -> str:
    return f"posts of user-{user}"


def _favourite_of(visitor: Visitor) -> int:
    """Whom this user wavers about for now. Later it is somebody else: a row that went wrong is not put right again."""
    return (visitor.user + visitor.number // FAVOURITE_FOR) % PEOPLE + 1


def _keys(answer: Answer, posts: list[dict[str, str]]) -> list[str]:
    """Those of this run's posts; what was there before has none."""
    keys = [found[1] for post in posts if (found := KEY.search(post["text"]))]
    region = answer.header("x-region")
    for key in keys:
        if key in likeable:
            shown[region][key] = likeable[key]
        elif key in taken_back:
            still_there[region] = taken_back[key]
    return keys


def _post(site: Site, visitor: Visitor, key: str, *, text: str = "") -> None:
    user = visitor.user
    tweet = {"text": text or f"{visitor.pick(WORDS)} #{key}"}
    again[user].setdefault(key, tweet["text"])
    answer = site.post(
        "/tweets/create", tweet, user=user, headers={"Idempotency-Key": key}, intent=adds(key, to=_posts_of(user))
    )
    _remember(site, answer)
    if answer.status == 201 and key not in doubted:
        posted = Posted(user, key, answer.json()["id"])
        if sum(other.author == user for other in likeable.values()) < LIKED_POSTS:
            likeable[key] = posted
            del again[user][key]  # of two posts with one key one is buried, with all its likes
        else:
            deletable[user].append(posted)


def _raise_one(site: Site, visitor: Visitor, how: str, seen: list[Posted]) -> None:
    """A counter of one of these; before there is anything, that of a post from before the run."""
    if not seen:
        _raise(site, visitor, how, "us-east-1")
        return
    posted = visitor.pick(seen)
    _raise(site, visitor, how, posted.post, intent=raises(f"{COUNTERS[how]} of {posted.key}"))


def _raise(site: Site, visitor: Visitor, how: str, post: str, *, intent: Intent = NOTHING) -> None:
    _remember(site, site.post(f"/tweets/{post}/{how}", {}, user=visitor.user, intent=intent))


def _remember(site: Site, answer: Answer) -> None:
    """What proves later that a read shows this write, and those before it in other regions: the target adds them up."""
    if token := answer.header("x-write-token"):
        site.carry({"X-Read-After": token})


def _shows_own_writes(answer: Answer) -> bool:
    """Or says that it may lack some: who is told so has been promised nothing."""
    return answer.ok and not answer.header("x-stale")


def _list_posts(site: Site, of: int, *, user: int | None = None) -> None:
    answer = site.get(f"/users/user-{of}/posts", user=user)
    if _shows_own_writes(answer):
        page = answer.json()
        answer.read(_posts_of(of), _keys(answer, page["posts"]), whole=page["whole"])


def _count(site: Site, kind: str, posted: Posted) -> None:
    answer = site.get(f"/users/user-{posted.author}/posts")
    if answer.ok:
        counts = [post[kind] for post in answer.json()["posts"] if post["text"].endswith(f"#{posted.key}")]
        if counts:  # a post that has not arrived yet has no count, and what is counted is for the set's checks to miss
            answer.counted(f"{kind} of {posted.key}", counts[0])
