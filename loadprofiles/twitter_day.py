"""An ordinary day on the reference system: who comes, what they do, and which features they find working.

Ten percent of the requests are priority 1, half are priority 2, a quarter priority 3 and the rest priority 4. Three
hundred of its three thousand users come, a few of them again and again.
"""

from harness.errors import LoadError
from harness.load.answer import Answer
from harness.load.intent import adds
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

people = Zipf(population=3000, cast=300)

WORDS = ("coffee", "football", "rain", "music", "election", "holiday", "train", "chess")
LINKS = ("https://media.example/1.jpg", "https://media.example/2.jpg", "https://media.example/3.mp4")
LOGINS_AT_ONCE = 3  # at 25 ms each 120 a second: below the target rate of even two replicas

# A ranking that happens to be chronological looks like no ranking; with fewer posts than this, order proves nothing.
POSTS_THAT_SHOW_ORDER = 8


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", _credentials(user))
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Reader(Visitor):
    """Looks at timelines and profiles."""

    share = 0.50

    @does("home", route="GET /timeline/home", share=0.60, priority=2)
    def reads_home(self, site: Site) -> None:
        answer = site.get("/timeline/home", user=self.user)
        if answer.ok:
            page = answer.json()
            _look_at_order(answer, page["posts"])
            _look_at_media(answer, page["posts"])
            answer.saw("analytics_tracking", working=bool(page.get("analytics_event")))

    @does("profile", route="GET /users/{id}/profile", share=0.24, priority=2)
    def looks_at_somebody(self, site: Site) -> None:
        somebody = 1 + self.draw % people.population
        answer = site.get(f"/users/user-{somebody}/profile", user=self.user)
        if answer.ok:
            page = answer.json()
            if not page["user"]:
                answer.wrong("a profile without its user")
            _look_at_media(answer, page["posts"])

    @does("notifications", route="GET /notifications", share=0.16, priority=2)
    def checks_notifications(self, site: Site) -> None:
        answer = site.get("/notifications", user=self.user)
        if answer.ok and not isinstance(answer.json()["notifications"], list):
            answer.wrong("notifications are no list")


class Writer(Visitor):
    """Comes to say something; now and then as somebody new."""

    share = 0.10

    @does("post", route="POST /tweets/create", share=0.80, priority=1)
    def posts(self, site: Site) -> None:
        tweet: dict[str, object] = {"text": f"{self.pick(WORDS)} number {self.number}"}
        if self.draw % 5 == 0:
            tweet["media"] = self.pick(LINKS)
        key = f"{site.run}-{self.number}"
        post = adds(key, to=f"posts of user-{self.user}")
        answer = site.post("/tweets/create", tweet, user=self.user, headers={"Idempotency-Key": key}, intent=post)
        if answer.status == 201:
            if not answer.json()["id"]:
                answer.wrong("a post without its id")
            answer.saw("new_tweets", working=True)
        elif answer.status == 503 and answer.header("x-disabled-feature") == "new_tweets":
            answer.saw("new_tweets", working=False)

    @does("login", route="POST /auth/login", share=0.17, priority=1, writes=False)
    def logs_in_again(self, site: Site) -> None:
        answer = site.post("/auth/login", _credentials(self.user))
        if answer.ok and not answer.json()["token"]:
            answer.wrong("a login without a token")

    @does("sign_up", route="POST /auth/signup", share=0.03, priority=1)
    def signs_up(self, site: Site) -> None:
        name = f"visitor-{site.run[-9:]}-{self.number}"
        answer = site.post("/auth/signup", {"name": name, "password": name}, intent=adds(name, to="users"))
        if answer.ok and not answer.json()["user"]:
            answer.wrong("a sign-up without a user")


class Searcher(Visitor):
    """Looks for something, or keeps a page open for what comes."""

    share = 0.25

    @does("search", route="GET /search/posts", share=0.80, priority=3)
    def searches(self, site: Site) -> None:
        answer = site.get(f"/search/posts?q={self.pick(WORDS)}", user=self.user)
        if answer.ok:
            page = answer.json()
            if "results" in page:
                answer.saw("search", working=True)
            elif "trends" in page:
                answer.saw("search", working=False)
            else:
                answer.wrong("neither results nor trends")

    @does("realtime", route="GET /realtime", share=0.20, priority=3)
    def listens(self, site: Site) -> None:
        answer = site.websocket("/realtime", user=self.user)
        if answer.status == 101:
            answer.saw("real_time_updates", working="unread" in answer.json())
        elif answer.status == 503 and answer.header("x-disabled-feature") == "real_time_updates":
            answer.saw("real_time_updates", working=False)


class Explorer(Visitor):
    """Has time: what is going on, whom to follow."""

    share = 0.15

    @does("trending", route="GET /trending", share=8, priority=4)
    def sees_what_is_going_on(self, site: Site) -> None:
        answer = site.get("/trending", user=self.user)
        if answer.ok:
            answer.saw("trending_topics", working=bool(answer.json().get("topics")))

    @does("suggestions", route="GET /suggestions/users", share=7, priority=4)
    def looks_whom_to_follow(self, site: Site) -> None:
        answer = site.get("/suggestions/users", user=self.user)
        if answer.ok:
            answer.saw("who_to_follow", working=bool(answer.json()["users"]))


def _credentials(user: int) -> dict[str, str]:
    return {"name": f"user-{user}", "password": f"password-{user}"}


def _look_at_order(answer: Answer, posts: list[dict[str, object]]) -> None:
    """Ranked if not chronological; chronological if it is so over enough posts; else it shows nothing."""
    times = [post["created_at"] for post in posts]
    if times != sorted(times, reverse=True):  # type: ignore[type-var]
        answer.saw("algorithmic_timeline", working=True)
    elif len(set(map(str, times))) >= POSTS_THAT_SHOW_ORDER:
        answer.saw("algorithmic_timeline", working=False)


def _look_at_media(answer: Answer, posts: list[dict[str, object]]) -> None:
    """Previews or bare links; a page without media shows nothing."""
    media = [post["media"] for post in posts if post.get("media")]
    if media:
        answer.saw("media_previews", working=all("preview" in one for one in media))  # type: ignore[operator]
