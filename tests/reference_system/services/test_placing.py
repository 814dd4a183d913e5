"""Where a request is answered, with other regions that only say that they were asked."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.caught_up import Proofs
from reference_system.defects import for_api
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken
from reference_system.services.answers import NO_REGION, Answer
from reference_system.services.operations import Call
from reference_system.services.parts import ApiParts
from reference_system.services.placing import Placing
from reference_system.services.tokens import Tokens
from tests.reference_system.services.calls import a_call

EAST, WEST, EUROPE, ASIA = Region
TOKENS = Tokens("secret")
HERE = Answer(body={"answered": "here"})
PAST, LATER = "1000.000000", "1001.000000"
FUTURE = "99999999999.000000"  # the last second that a token can name
POST, LIKE, HOME = ("POST", "/tweets/create"), ("POST", "/tweets/us-east-1/like"), ("GET", "/timeline/home")


@dataclass(kw_only=True)
class Others:
    """Answer with their names, unless they are silent."""

    silent: bool = False
    asked: list[Region] = field(default_factory=list)

    async def read(self, region: Region, call: Call) -> Answer | None:
        answer = await self.write(region, call)
        return None if self.silent else answer

    async def write(self, region: Region, call: Call) -> Answer:
        del call
        self.asked.append(region)
        return Answer(body={"answered": region}, decided_elsewhere=True)


@dataclass(kw_only=True)
class Replica:
    """Of us-east in four regions."""

    others: Others = field(default_factory=Others)
    proven: Proofs = field(default_factory=lambda: Proofs(at_us={}))
    defect: str = ""
    calls: list[Call] = field(default_factory=list)

    def answers(self, route: tuple[str, str], headers: Mapping[str, str]) -> Answer:
        placing = Placing(
            region=EAST,
            regions=frozenset(Region),
            tokens=TOKENS,
            proofs=self._proofs,
            others=self.others,
            decisions=for_api(self.defect, ApiParts()).decisions,
            registry=CollectorRegistry(),
        )
        return asyncio.run(placing.answer(a_call(*route, headers), self._here))

    async def _here(self, call: Call) -> Answer:
        self.calls.append(call)
        return HERE

    async def _proofs(self, tokens: Collection[WriteToken]) -> Proofs:
        assert EAST not in {token.region for token in tokens}, "what was written here needs no proof"
        return self.proven


def at_home_in(region: Region) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS.issue('user-1', region)}"}


def taken_by(regions: str) -> dict[str, str]:
    return {"X-Writing-Regions": regions, "X-Healthy-Regions": regions}


@pytest.mark.parametrize(
    ("route", "headers", "region", "why"),
    [
        (POST, at_home_in(EAST), EAST, "at home"),
        (POST, at_home_in(EUROPE), EUROPE, "a traveller's post goes home"),
        (("DELETE", "/tweets/x"), at_home_in(EUROPE), EUROPE, "and so does its deletion"),
        (("PUT", "/users/x/follow"), at_home_in(EUROPE), EUROPE, "whom one follows"),
        (("DELETE", "/users/x/follow"), at_home_in(EUROPE), EUROPE, "or no longer"),
        (("PUT", "/users/user-1/profile"), at_home_in(EUROPE), EUROPE, "and what one says of oneself"),
        (LIKE, at_home_in(EUROPE), EAST, "likes are counted where the user is"),
        (LIKE, {**at_home_in(EUROPE), "X-Writing-Regions": "us-west,europe"}, WEST, "or in its stand-in"),
        (("POST", "/auth/signup"), {}, EAST, "who signs up is at home here"),
        (POST, {}, EAST, "a stranger is refused here"),
        (POST, {"Authorization": "Bearer user-1~europe.0a"}, EAST, "and so is a forger"),
        (POST, {**at_home_in(EUROPE), "X-Writing-Regions": "us-east,us-west"}, EAST, "here stands in for europe"),
        (POST, {**at_home_in(ASIA), "X-Writing-Regions": "us-east, us-west"}, WEST, "us-west for asia-pacific"),
        (POST, {**at_home_in(EAST), "X-Writing-Regions": "us-west"}, WEST, "here takes no writes yet"),
        (POST, {**at_home_in(ASIA), **taken_by("us-east,europe")}, None, "neither home nor stand-in"),
        (POST, {**at_home_in(EAST), **taken_by("none")}, None, "nobody is well"),
        (POST, {**at_home_in(EAST), "X-Writing-Regions": "none"}, WEST, "both are back, and each takes the other's"),
        (POST, {**at_home_in(WEST), "X-Writing-Regions": "europe"}, EAST, "both are back, and each takes the other's"),
        (LIKE, {**at_home_in(WEST), "X-Writing-Regions": "europe"}, WEST, "likes, too"),
        (POST, {**at_home_in(EUROPE), "X-Forwarded-Region": "europe"}, EAST, "what was forwarded stays, if here may"),
        (POST, {**at_home_in(ASIA), "X-Forwarded-Region": "europe"}, None, "no third region writes, whoever says so"),
        (LIKE, {**at_home_in(ASIA), "X-Forwarded-Region": "europe"}, EAST, "but any region counts"),
        (HOME, at_home_in(EUROPE), EAST, "reads stay here"),
    ],
)
def test_a_write_is_done_where_the_table_says(
    route: tuple[str, str], headers: dict[str, str], region: Region | None, why: str
) -> None:
    replica = Replica()

    answer = replica.answers(route, headers)

    expected = {None: NO_REGION, EAST: HERE}.get(region)
    assert (answer if expected else answer.body) == (expected or {"answered": region}), why
    assert replica.others.asked == ([region] if region not in (None, EAST) else []), why


@pytest.mark.parametrize(
    ("read_after", "healthy", "proven_us", "region", "stale", "why"),
    [
        (None, "", 0, EAST, False, "no token"),
        (f"us-west:{PAST}", "us-west", 1_000_000_000, EAST, False, "proven here"),
        (f"us-west:{PAST}", "us-west", 999_999_999, WEST, False, "not proven: ask who took it"),
        (f"us-west:{PAST}", None, 0, WEST, False, "no edge says who is healthy: all"),
        (f"us-west:{PAST}", "us-east", 0, EAST, True, "nobody to ask"),
        (f"us-east:{PAST}", "", 0, EAST, False, "taken here"),
        ("us-west:yesterday", "us-west", 0, EAST, False, "malformed is as good as none"),
        (f"us-west:{FUTURE}", "us-west", 0, EAST, False, "and so is one that nobody can have given"),
        (f"us-west:{PAST},us-east:{LATER}", "us-west", 0, WEST, False, "whatever was written here since"),
        (f"us-west:{PAST},us-east:{LATER}", "us-west", 1_000_000_000, EAST, False, "unless both are here"),
        (f"us-west:{PAST},europe:{LATER}", "europe", 0, EUROPE, False, "of two writes the newer one"),
        (f"us-west:{PAST},europe:{LATER}", "us-west", 0, WEST, False, "or the one that can be had"),
    ],
)
def test_a_read_with_a_token_is_answered_where_its_write_is(
    *, read_after: str | None, healthy: str | None, proven_us: int, region: Region, stale: bool, why: str
) -> None:
    replica = Replica(proven=Proofs(at_us={WEST: proven_us}))
    headers = {"X-Read-After": read_after, "X-Healthy-Regions": healthy}

    answer = replica.answers(HOME, {name: value for name, value in headers.items() if value is not None})

    assert answer.body == (HERE.body if region is EAST else {"answered": region}), why
    assert ((b"x-stale", b"token") in answer.headers) == stale, why
    assert not any(call.past_caches for call in replica.calls)


def test_where_the_other_region_does_not_answer_the_read_is_answered_here_and_says_so() -> None:
    replica = Replica(others=Others(silent=True))

    answer = replica.answers(HOME, {"X-Read-After": f"us-west:{PAST}"})

    assert answer == replace(HERE, headers=((b"x-stale", b"token"),), decided_elsewhere=True)


def test_a_silent_region_is_the_only_one_that_is_asked() -> None:
    replica = Replica(others=Others(silent=True))

    answer = replica.answers(HOME, {"X-Read-After": f"us-west:{PAST},europe:{LATER}"})

    assert (replica.others.asked, answer.body) == ([EUROPE], HERE.body)
    assert (b"x-stale", b"token") in answer.headers


@pytest.mark.parametrize(
    ("read_after", "stale", "why"),
    [
        (f"us-east:{PAST}", False, "what was written here is here"),
        (f"us-east:{PAST},us-west:{LATER}", True, "what was written elsewhere may not be"),
    ],
)
def test_what_came_from_another_region_is_not_sent_on(read_after: str, stale: bool, why: str) -> None:
    replica = Replica()

    answer = replica.answers(HOME, {"X-Read-After": read_after, "X-Forwarded-Region": "europe"})

    assert (answer.body, replica.others.asked) == (HERE.body, [])
    assert ((b"x-stale", b"token") in answer.headers) == stale, why


def test_what_only_the_database_proves_is_read_past_the_caches() -> None:
    replica = Replica(proven=Proofs(at_us={WEST: 1_000_000_000}, of_caches=False))

    replica.answers(HOME, {"X-Read-After": f"us-west:{PAST}"})

    assert [call.past_caches for call in replica.calls] == [True]


def test_what_shows_nobodys_own_writes_needs_no_proof() -> None:
    assert Replica().answers(("GET", "/trending"), {"X-Read-After": f"us-west:{PAST}"}) == HERE


def test_planted_reading_where_it_was_written_goes_abroad_for_what_is_known_here() -> None:
    proven = Proofs(at_us={WEST: 1_000_000_000})
    token = {"X-Read-After": f"us-west:{PAST}"}

    assert Replica(proven=proven).answers(HOME, token) == HERE
    broken = Replica(proven=proven, defect="reads_where_it_was_written")
    assert broken.answers(HOME, token).body == {"answered": WEST}
    assert broken.answers(HOME, {**token, "X-Healthy-Regions": "us-east"}) == HERE


@pytest.mark.parametrize(
    ("defect", "route", "headers", "region"),
    [
        ("drops_the_token", HOME, {"X-Read-After": f"us-west:{PAST}"}, EAST),
        ("writes_where_the_user_is", POST, at_home_in(EUROPE), EAST),
        ("wrong_stand_in", POST, at_home_in(EUROPE), EUROPE),
        ("wrong_stand_in", POST, {**at_home_in(EUROPE), "X-Writing-Regions": "us-east,us-west"}, WEST),
    ],
)
def test_planted_defects_of_placing(
    defect: str, route: tuple[str, str], headers: dict[str, str], region: Region
) -> None:
    answer = Replica(defect=defect).answers(route, headers)

    assert answer.body == (HERE.body if region is EAST else {"answered": region})
    assert not answer.headers
