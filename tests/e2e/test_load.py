"""The load generator against real servers: what it offers, and that every request it owes has exactly one row."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy.stats import binom

from harness.clock import NS_PER_S
from harness.errors import LoadError
from harness.experiment.load import Arrivals
from harness.load.inside_locust.schedule import draw_schedule
from harness.load.profile import load_profile
from harness.plan import Plan
from harness.record.rows import NOT_SENT_NS, ShardState
from tests.harness.load.null_server import null_server
from tests.harness.load.offering import (
    GETS,
    HOST,
    POSTS,
    PUTS,
    Offered,
    free_port,
    load_processes,
    offer,
    plan_of,
    read_requests,
    seen_by,
    small_server,
    start_driver,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TWITTER_DAY = Path(__file__).parents[2] / "loadprofiles" / "twitter_day.py"


@pytest.fixture
def gets(tmp_path: Path) -> Path:
    path = tmp_path / "gets.py"
    path.write_text(GETS)
    return path


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.py"
    path.write_text(POSTS)
    return path


def assert_every_request_has_one_row(offered: Offered, plan: Plan, *, start_ns: int | None = None) -> None:
    """The rows' scheduled times are the schedule's, each once, from its first to the last that was offered."""
    due: list[int] = []
    shards = plan.load.shards
    for shard in range(shards):
        schedule = draw_schedule(plan, load_profile(Path(plan.profile_path)), shard=shard, shards=shards)
        due.extend(schedule.due_ns)
    rows_ns = np.sort(offered.requests["scheduled_ns"].to_numpy())
    due_ns = np.sort(np.array(due))[: len(rows_ns)]

    assert len(rows_ns) > 0
    assert (rows_ns - rows_ns[0] == due_ns - due_ns[0]).all()
    assert sum(offered.outcomes().values()) == len(rows_ns)
    total = offered.driver.live.total
    assert total.offered == total.ended == len(rows_ns)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_whole_run_offers_exactly_its_schedule(gets: Path, tmp_path: Path, shards: int) -> None:
    plan = plan_of(gets, rate_per_s=200, lasts_s=2, arrivals=Arrivals.POISSON, shards=shards)

    with small_server("ok-to-all") as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)

    assert_every_request_has_one_row(offered, plan)
    assert offered.outcomes() == {"ok": len(offered.requests)}
    assert len(offered.requests) == pytest.approx(400, abs=80)
    assert seen["all"] == len(offered.requests)
    assert offered.states() == [state for state in ("ready", "started", "drained", "done") for _ in range(shards)]


@pytest.mark.parametrize("how", [None, signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_every_request_due_by_then_has_one_row(
    posts: Path, tmp_path: Path, how: signal.Signals | None
) -> None:
    plan = plan_of(posts, rate_per_s=200, lasts_s=30, deadline_s=1.0)

    with small_server("slow", delay_s=0.3) as url:
        offered = asyncio.run(offer(plan, url, tmp_path, stop_after_s=1.0, signal_number=how))

    assert_every_request_has_one_row(offered, plan)
    assert 150 < len(offered.requests) < 300
    assert offered.outcomes().get("ok", 0) == pytest.approx(len(offered.requests), abs=3)
    assert offered.states()[-1] == "done"


def test_a_second_signal_gives_up_what_is_open_and_says_so(posts: Path, tmp_path: Path) -> None:
    async def stop_twice(plan: Plan, url: str) -> Offered:
        driver, events = start_driver(plan, url, tmp_path)
        await driver.start()
        driver.begin(time.monotonic_ns())
        await asyncio.sleep(1.0)
        for _ in range(2):
            load_processes(tmp_path)[0].send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
        await driver.close()
        return Offered(read_requests(tmp_path), events, driver, tmp_path)

    plan = plan_of(posts, rate_per_s=100, lasts_s=30, deadline_s=20.0)

    with small_server("slow", delay_s=10) as url:
        offered = asyncio.run(stop_twice(plan, url))

    assert_every_request_has_one_row(offered, plan)
    given_up = offered.requests[offered.requests["error"] == "run_stopped"]
    assert len(given_up) == len(offered.requests)
    assert set(given_up["outcome"]) <= {"unknown", "not_sent"}


def test_beyond_the_limit_in_flight_requests_are_not_sent_and_counted(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=100, lasts_s=1, in_flight_limit=20)

    with small_server("slow", delay_s=2) as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)

    assert_every_request_has_one_row(offered, plan)
    assert offered.outcomes() == {"ok": 20, "not_sent": 80}
    refused = offered.requests[offered.requests["outcome"] == "not_sent"]
    assert set(refused["error"]) == {"client_limit"}
    assert (refused["sent_ns"] == NOT_SENT_NS).all()
    assert seen["all"] == 20


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_reset_request_is_sent_once_and_fails_once(gets: Path, posts: Path, tmp_path: Path, outcome: str) -> None:
    plan = plan_of(gets if outcome == "failed" else posts, rate_per_s=300, lasts_s=3)

    with small_server("reset") as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)

    count = len(offered.requests)
    low, high = binom.interval(0.9999, count, 0.5)
    assert seen["all"] == count == 900
    assert low <= offered.outcomes()[outcome] <= high
    assert offered.outcomes()["ok"] + offered.outcomes()[outcome] == count
    assert set(offered.requests["error"]) == {"", "reset"}


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (503, {"X-Shed": "overload"})])
def test_what_is_sent_again_is_a_request_of_its_own(tmp_path: Path, status: int, headers: dict[str, str]) -> None:
    profile = tmp_path / "again.py"
    profile.write_text(GETS.replace("priority=2", "priority=2, retries=3"))
    plan = plan_of(profile, rate_per_s=20, lasts_s=3, deadline_s=20.0)  # all are waited for, however slow the machine

    with small_server("status", status=status, headers=json.dumps(headers)) as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)["all"]

    rows = offered.requests
    many = rows["attempt"].value_counts().to_dict()
    assert many[1] == 60
    assert set(many) == {1, 2, 3, 4}
    again = rows[rows["attempt"] > 1]
    ended = set(rows["finished_ns"])
    assert all(due in ended for due in again["scheduled_ns"])  # at the moment at which the one before it had failed
    in_time = rows["finished_ns"] < rows["scheduled_ns"].min() + 2 * NS_PER_S  # long before the load is over
    followed = rows.loc[in_time & (rows["attempt"] < 4), "finished_ns"]
    assert len(followed) >= 3 * 20
    assert set(followed) <= set(again["scheduled_ns"])
    total = offered.driver.live.total
    assert seen == total.offered == total.ended == len(rows)


def test_what_is_answered_is_not_sent_again_and_what_fails_at_the_end_of_the_load_neither(tmp_path: Path) -> None:
    profile = tmp_path / "again.py"
    profile.write_text(GETS.replace("priority=2", "priority=2, retries=3"))

    with small_server("ok-to-all") as url:
        answered = asyncio.run(offer(plan_of(profile, rate_per_s=20, lasts_s=1), url, tmp_path))
    (tmp_path / "slow").mkdir()
    with small_server("slow", delay_s=10) as url:
        plan = plan_of(profile, rate_per_s=20, lasts_s=1, deadline_s=0.8)
        late = asyncio.run(offer(plan, url, tmp_path / "slow")).requests

    assert set(answered.requests["attempt"]) == {1}
    first_s = (late["scheduled_ns"] - late["scheduled_ns"].min()) / NS_PER_S
    assert set(late["attempt"]) == {1, 2}  # the third would have been due after the end
    assert len(late) == 20 + (first_s[late["attempt"] == 1] + 0.8 < 1 - 0.025).sum()


@pytest.mark.measured
def test_a_frozen_server_costs_everybody_who_came_meanwhile(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=100, lasts_s=10)

    with null_server(HOST, freezes=True) as url:
        offered = asyncio.run(offer(plan, url, tmp_path))

    # A fifth of the requests wait 0–2 s, evenly: one in a hundred of all waits longer than 1.9 s.
    assert offered.outcomes() == {"ok": 1000}
    assert offered.requests["latency_s"].quantile(0.99) == pytest.approx(1.9, rel=0.02)
    assert offered.requests["latency_s"].quantile(0.90) == pytest.approx(1.0, rel=0.03)


def test_a_dripping_answer_ends_at_the_deadline(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=20, lasts_s=2, deadline_s=1.0)

    with small_server("drip") as url:
        offered = asyncio.run(offer(plan, url, tmp_path))

    assert offered.outcomes() == {"failed": 40}
    assert set(offered.requests["error"]) == {"deadline"}
    assert offered.requests["service_s"].min() >= 0.95
    assert offered.requests["service_s"].median() == pytest.approx(1.0, abs=0.05)
    assert offered.requests["service_s"].max() < 1.5  # on a busy machine a timer may be late; ten seconds it may not


@pytest.mark.parametrize(
    ("behaviour", "options", "profile", "words"),
    [
        ("truncate", {}, GETS, ("failed", "closed", 0)),
        ("truncate", {}, POSTS, ("unknown", "closed", 0)),
        ("close", {}, GETS, ("failed", "closed", 0)),
        ("status", {"status": 302, "headers": '{"Location": "/elsewhere"}'}, GETS, ("failed", "wrong_answer", 302)),
        ("status", {"status": 503}, POSTS, ("unknown", "status_5xx", 503)),
        ("status", {"status": 503, "headers": '{"X-Shed": "overload"}'}, POSTS, ("shed", "", 503)),
        ("status", {"status": 503, "headers": '{"X-Disabled-Feature": "new_tweets"}'}, POSTS, ("disabled", "", 503)),
        ("status", {"status": 404}, POSTS, ("failed", "status_4xx", 404)),
        ("status", {"status": 200}, PUTS, ("ok", "", 200)),
        ("truncate", {}, PUTS, ("unknown", "closed", 0)),
    ],
)
def test_how_a_request_ends_is_told_from_what_came_back(
    tmp_path: Path, behaviour: str, options: dict[str, object], profile: str, words: tuple[str, str, int]
) -> None:
    path = tmp_path / "calls.py"
    path.write_text(profile)
    plan = plan_of(path, rate_per_s=20, lasts_s=0.5, deadline_s=2.0)

    with small_server(behaviour, level=3, **options) as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)

    rows = offered.requests
    assert set(zip(rows["outcome"], rows["error"], rows["status"], strict=True)) == {words}
    assert seen["all"] == seen[str(rows["route"][0])] == len(rows) == 10
    if words[2]:
        assert set(rows["level"]) == {3}
        assert set(rows["served_by"]) == {"small-1"}
        assert set(rows["age_s"]) == {7}


def test_a_refused_write_definitely_did_not_happen(posts: Path, tmp_path: Path) -> None:
    plan = plan_of(posts, rate_per_s=20, lasts_s=1)

    offered = asyncio.run(offer(plan, f"http://{HOST}:{free_port()}", tmp_path))

    assert offered.outcomes() == {"failed": 20}
    assert set(offered.requests["error"]) == {"refused"}


def test_the_same_seed_offers_the_same_requests(tmp_path: Path) -> None:
    plan = plan_of(TWITTER_DAY, rate_per_s=150, lasts_s=1.5, arrivals=Arrivals.POISSON)
    runs = []

    with small_server("ok") as url:
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            runs.append(asyncio.run(offer(plan, url, folder)).requests.sort_values("scheduled_ns"))

    one, other = ([*zip(run["operation"], run["user"], strict=True)] for run in runs)
    gaps = [np.diff(run["scheduled_ns"]) for run in runs]
    assert one == other
    assert (gaps[0] == gaps[1]).all()


@pytest.mark.parametrize("level", [0, 4])
def test_the_day_reports_every_feature_from_what_it_was_shown(tmp_path: Path, level: int) -> None:
    plan = plan_of(TWITTER_DAY, rate_per_s=200, lasts_s=3, arrivals=Arrivals.POISSON)

    with small_server("ok", level=level) as url:
        offered = asyncio.run(offer(plan, url, tmp_path))
        seen = seen_by(url)

    assert_every_request_has_one_row(offered, plan)
    shown = offered.requests["features_on" if level == 0 else "features_off"].astype(str)
    not_shown = offered.requests["features_off" if level == 0 else "features_on"].astype(str)
    assert set(",".join(shown).split(",")) - {""} == {
        *("who_to_follow", "analytics_tracking", "algorithmic_timeline", "trending_topics"),
        *("media_previews", "real_time_updates", "search", "new_tweets"),
    }
    assert set(not_shown) == {""}
    assert set(offered.outcomes()) == ({"ok"} if level == 0 else {"ok", "disabled"})
    assert seen["keys"] == (offered.requests["operation"] == "post").sum()
    assert seen["POST /auth/login"] == 300 + (offered.requests["operation"] == "login").sum()


def test_a_killed_shard_is_told_and_the_others_go_on(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=100, lasts_s=4, shards=2)

    with small_server("ok-to-all") as url:
        offered = asyncio.run(offer(plan, url, tmp_path, harness_defect="load_shard_killed"))

    deaths = [event for event in offered.events if isinstance(event, ShardState) and event.state == "died"]
    assert [(death.shard, "SIGKILL" in death.detail) for death in deaths] == [(0, True)]
    assert offered.states().count("done") == 1
    assert 200 < len(offered.requests) < 400, "all of the one that lived, and what the other had written"


def test_a_slow_generator_is_seen_in_its_own_lag(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=100, lasts_s=3)

    with small_server("ok-to-all") as url:
        offered = asyncio.run(offer(plan, url, tmp_path, harness_defect="slow_generator"))

    assert_every_request_has_one_row(offered, plan)
    assert offered.requests["lag_s"].quantile(0.99) > 0.2
    assert max(health.lag_s_p99 for health in offered.health()) > 0.2


def test_without_its_driver_the_load_stops_by_itself(gets: Path, tmp_path: Path) -> None:
    plan = plan_of(gets, rate_per_s=100, lasts_s=60, deadline_s=20)
    program = f"""
import asyncio, time
from pathlib import Path
import msgspec
from harness.plan import Plan
from harness.units import dec_hook
from tests.harness.load.null_server import null_server
from tests.harness.load.offering import start_driver
async def main():
    plan = msgspec.json.decode(Path({str(tmp_path)!r}, "plan.json").read_bytes(), type=Plan, dec_hook=dec_hook)
    driver, _ = start_driver(plan, URL, Path({str(tmp_path)!r}))
    await driver.start()
    driver.begin(time.monotonic_ns())
    await asyncio.sleep(1.5)
    print("go", flush=True)
    await driver.wait()
asyncio.run(main())
"""
    start_driver(plan, f"http://{HOST}:1", tmp_path)  # for plan.json

    with small_server("slow", delay_s=5) as url:
        program = program.replace("URL", repr(url))
        root = Path(__file__).parents[2]
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"go\n"
            shards = [child for child in psutil.Process(owner.pid).children() if child.name().startswith("python")]
            os.kill(owner.pid, signal.SIGKILL)
            killed_ns = time.monotonic_ns()
        deadline_ns = killed_ns + 5 * NS_PER_S
        while any(shard.is_running() and shard.status() != "zombie" for shard in shards):
            assert time.monotonic_ns() < deadline_ns, "the shard lives on"
            time.sleep(0.05)

    requests = read_requests(tmp_path)
    assert len(shards) == 1
    assert 130 <= len(requests) <= 250
    assert requests["scheduled_ns"].max() < killed_ns + NS_PER_S // 2
    assert set(requests["error"]) == {"run_stopped"}


def test_a_start_that_takes_too_long_is_given_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    plan = plan_of(TWITTER_DAY, rate_per_s=10, lasts_s=1, deadline_s=60)

    async def start(url: str) -> float:
        driver, _ = start_driver(plan, url, tmp_path)
        with pytest.raises(LoadError, match=r"shard 0 was not ready within 2\.5s"):
            await driver.start(within_s=2.5)
        return time.monotonic()

    with small_server("slow", delay_s=60) as url:
        began_s = time.monotonic()
        ended_s = asyncio.run(start(url))

    assert load_processes(tmp_path) == []
    assert ended_s - began_s < 2.5 + 3.0  # it follows SIGTERM, it does not have to be killed


def test_a_profile_that_cannot_prepare_is_told_with_the_log(tmp_path: Path) -> None:
    plan = plan_of(TWITTER_DAY, rate_per_s=10, lasts_s=1)
    driver, events = start_driver(plan, f"http://{HOST}:{free_port()}", tmp_path)

    with pytest.raises(LoadError, match=r"(?s)shard 0 could not start.*refused.*0\.log"):
        asyncio.run(driver.start())

    assert [event.state for event in events if hasattr(event, "state")] == ["died"]
    assert load_processes(tmp_path) == []
