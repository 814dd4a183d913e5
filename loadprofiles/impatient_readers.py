"""Users load their timelines, wait a second, and try again at once, three times, whatever the answer was.

Nobody should be like that, and many clients are: they have no budget for what they send again. A system that is to
survive its overloads has to survive them.
"""

from harness.errors import LoadError
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

people = Zipf(population=3000, cast=100)

LOGINS_AT_ONCE = 1  # the small servers log in 40 a second


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", {"name": f"user-{user}", "password": f"password-{user}"})
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Reader(Visitor):
    """Wants to see something, now."""

    @does("home", route="GET /timeline/home", share=1, priority=2, retries=3)
    def reads_home(self, site: Site) -> None:
        answer = site.get("/timeline/home", user=self.user)
        if answer.ok and not isinstance(answer.json()["posts"], list):
            answer.wrong("a timeline without posts")
