"""Readers, of whom a few log in again; and a time in which everybody has to, as all sessions have ended at once."""

from harness.errors import LoadError
from harness.load.profile import Lobby, Site, Visitor, Zipf, does

people = Zipf(population=3000, cast=100)

LOGINS_AT_ONCE = 3


def prepare(lobby: Lobby) -> None:
    """Everybody who will come logs in before the clock starts."""

    def log_in(user: int) -> None:
        answer = lobby.post("/auth/login", _credentials(user))
        if not answer.ok:
            raise LoadError(f"user-{user} could not log in: status {answer.status}.")
        lobby.identify(user, {"Authorization": f"Bearer {answer.json()['token']}"})

    lobby.for_each(log_in, at_once=LOGINS_AT_ONCE)


class Reader(Visitor):
    """Looks at timelines and profiles, and now and then has to say again who it is."""

    @does("home", route="GET /timeline/home", share=0.72, priority=2)
    def reads_home(self, site: Site) -> None:
        _read_home(self, site)

    @does("profile", route="GET /users/{id}/profile", share=0.26, priority=2)
    def looks_at_somebody(self, site: Site) -> None:
        site.get(f"/users/user-{1 + self.draw % people.population}/profile", user=self.user)

    @does("login", route="POST /auth/login", share=0.02, priority=1, writes=False)
    def logs_in_again(self, site: Site) -> None:
        _log_in(self, site)


class Returning(Visitor):
    """Is asked who it is before it may read on."""

    @does("return_login", route="POST /auth/login", share=0.35, priority=1, writes=False, phase="disturbed")
    def logs_in(self, site: Site) -> None:
        _log_in(self, site)

    @does("return_home", route="GET /timeline/home", share=0.65, priority=2, phase="disturbed")
    def reads_on(self, site: Site) -> None:
        _read_home(self, site)


def _credentials(user: int) -> dict[str, str]:
    return {"name": f"user-{user}", "password": f"password-{user}"}


def _log_in(visitor: Visitor, site: Site) -> None:
    answer = site.post("/auth/login", _credentials(visitor.user))
    if answer.ok and not answer.json()["token"]:
        answer.wrong("a login without a token")


def _read_home(visitor: Visitor, site: Site) -> None:
    answer = site.get("/timeline/home", user=visitor.user)
    if answer.ok and not isinstance(answer.json()["posts"], list):
        answer.wrong("a timeline without posts")
