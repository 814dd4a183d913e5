"""Users load their own timelines and do nothing else: the load that a capacity plan counts.

No level of degradation takes this away and no cache in front of the servers answers it, so each request costs a server
its full service time.
"""

from harness.errors import LoadError
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

people = Zipf(population=3000, cast=100)

LOGINS_AT_ONCE = 3  # as in twitter_day


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", {"name": f"user-{user}", "password": f"password-{user}"})
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Reader(Visitor):
    """Opens the application."""

    @does("home", route="GET /timeline/home", share=1, priority=2)
    def reads_home(self, site: Site) -> None:
        answer = site.get("/timeline/home", user=self.user)
        if answer.ok and not isinstance(answer.json()["posts"], list):
            answer.wrong("a timeline without posts")
