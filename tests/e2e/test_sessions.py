"""Users with a home, a place and a session: what is sent for them, and what the record says of it afterwards."""

import asyncio

import msgspec
import pandas as pd
import pytest

from harness.plan import PhaseSpan
from harness.record.rows import NO_SESSION
from tests.harness.load.offering import offer, plan_of, seen_by, small_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROFILE = """
from harness.load.intent import adds
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population=100, cast=12, homes=("us-east", "europe"))

class Writer(Visitor):
    @does("post", route="POST /posts/{id}", share=1, priority=1)
    def posts(self, site):
        mine = f"/posts/{self.user}"
        answer = site.post(mine, {"id": f"{self.number}"}, intent=adds(f"{self.number}", to=mine))
        site.carry({"X-Read-After": answer.header("x-write-token")})

    @does("look", route="GET /posts/{id}", share=1, priority=2)
    def looks(self, site):
        answer = site.get(f"/posts/{self.user}")
        answer.read(f"/posts/{self.user}", answer.json(), whole=True)

    @does("travel", route="GET /posts/{id}", share=0.3, priority=2)
    def travels(self, site):
        site.travel("europe" if site.region == "us-east" else "us-east")
        answer = site.get(f"/posts/{self.user}")
        answer.read(f"/posts/{self.user}", answer.json(), whole=True)

class Auditor(Visitor):
    @does("audit", route="GET /posts/{id}", share=1, priority=3, phase="final_reads", fresh=True)
    def audits(self, site):
        what, region = site.unread()
        site.travel(region)
        answer = site.get(what)
        answer.read(what, answer.json(), whole=True)
"""


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, int]]:
    """Three seconds of posting and reading, then one of final reads, at more than one request a user at a time."""
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "travellers.py").write_text(PROFILE)
    plan = msgspec.structs.replace(
        plan_of(folder / "travellers.py", rate_per_s=200, lasts_s=4),
        phases=(
            PhaseSpan(name="baseline", start_s=0.0, end_s=3.0),
            PhaseSpan(name="final_reads", start_s=3.0, end_s=4.0),
        ),
    )
    with small_server("regions") as url:
        requests = asyncio.run(offer(plan, url, folder)).requests
        return requests, seen_by(url)


def test_requests_of_a_session_never_overlap_and_are_one_users(offered: tuple[pd.DataFrame, dict[str, int]]) -> None:
    requests, _ = offered
    sessions = requests.sort_values("sent_ns").groupby("session")

    assert NO_SESSION not in sessions.groups
    for _, session in sessions:
        assert (session["sent_ns"].to_numpy()[1:] >= session["finished_ns"].to_numpy()[:-1]).all()
        assert session["user"].nunique() == 1
    assert sessions.size().max() > 5, "sessions go on"
    assert sessions.ngroups > requests["user"].nunique(), "and some users have several"


def test_nothing_follows_an_unknown_write_in_its_session(offered: tuple[pd.DataFrame, dict[str, int]]) -> None:
    requests, _ = offered
    unknown = requests[requests["outcome"] == "unknown"]

    assert len(unknown) > 10
    assert set(unknown["operation"]) == {"post"}
    last = requests.groupby("session")["sent_ns"].max()
    assert (unknown["sent_ns"].to_numpy() == last[unknown["session"]].to_numpy()).all()


def test_what_a_write_meant_is_known_though_it_was_never_answered(
    offered: tuple[pd.DataFrame, dict[str, int]],
) -> None:
    requests, _ = offered
    unknown = requests[requests["outcome"] == "unknown"]

    assert set(unknown["change"]) == {"add"}
    assert (unknown["object"] == "/posts/" + unknown["user"].astype(str)).all()
    assert unknown["written"].is_unique


def test_users_are_asked_for_where_they_are(offered: tuple[pd.DataFrame, dict[str, int]]) -> None:
    requests, seen = offered

    asked = requests["region_asked"].astype(str).value_counts()
    assert {region: seen[f"region {region}"] for region in ("us-east", "europe")} == asked.to_dict()
    answered = requests[requests["status"] == 200]
    assert (answered["region_served"].astype(str) == answered["region_asked"].astype(str)).all()
    moved = requests.groupby("session")["region_asked"].nunique()
    assert (moved == 2).any(), "travellers stay in their session"


def test_what_a_session_was_told_goes_with_its_later_requests(offered: tuple[pd.DataFrame, dict[str, int]]) -> None:
    requests, seen = offered
    carried = 0
    for _, session in requests.sort_values("sent_ns").groupby("session"):
        posted = ((session["operation"] == "post") & (session["outcome"] == "ok")).to_numpy()
        carried += int((posted.cumsum() - posted > 0).sum())

    assert seen["carried"] == carried > 0


def test_in_the_end_every_object_is_read_in_every_region_by_strangers(
    offered: tuple[pd.DataFrame, dict[str, int]],
) -> None:
    requests, _ = offered
    final = requests[requests["operation"] == "audit"]
    written = requests[requests["change"] == "add"]

    pairs = set(zip(final["object"], final["region_served"].astype(str), strict=True))
    assert pairs == {(what, region) for what in set(written["object"]) for region in ("us-east", "europe")}
    assert final["session"].is_unique
    assert set(final["change"]) == {""}
    seen = set(",".join(final["seen"]).split(","))
    assert seen == set(written["written"]), "unknown ones too: this server had kept them"
