"""`gameday capacity`: what it prints, and how it refuses what makes no sense."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.capacity.inputs import Inputs
from harness.errors import ExperimentError
from harness.loader import load_capacity_inputs
from harness.search.knee import Knee, knee_json
from harness.verify.verdict import Outcome
from tests.harness.capacity.conftest import Gameday
from tests.harness.search.some import SUBJECT, a_knee, point

EVERY_SECTION = """\
demand:
  daily_active_users: 50M
  tweets_per_day: 1500
timeline_api: {peak_factor: 2.5, headroom: 40%, rps_per_server: 900/s}
redis:
  usable_per_node: 64GB
database:
  tweets_kept: 5y
"""


def test_the_specifications_figures_are_printed_when_nothing_is_said(gameday: Gameday) -> None:
    code, out, _ = gameday("capacity")

    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.strip().startswith("0 ")]
    assert rows == [
        ["0", "200,000,000", "46,296", "138,888", "180,555", "91", "22", "or", "23"],
        ["0", "10,430.8", "GB", "3,259.6", "GB", "4.657", "GB", "41,085.3", "GB", "206"],
        ["0", "500,000,000", "497.9", "TB", "647.3", "TB", "1,942.0", "TB", "1.896", "PB"],
    ]
    assert "servers = with headroom ÷ 2000/s (assumed), rounded up" in out
    assert "No file of inputs changes a default." in out


def test_each_table_has_a_row_for_today_and_each_year_to_come(gameday: Gameday) -> None:
    _, out, _ = gameday("capacity", "--years", "2")

    years = [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert years == ["0", "1", "2"] * 3


def test_no_digit_is_lost_where_a_table_is_wider_than_the_terminal(gameday: Gameday) -> None:
    _, out, _ = gameday("capacity", "--years", "20")

    last = [line.split() for line in out.splitlines() if line.strip().startswith("20 ")]
    assert last[0][1:3] == ["17,347,234,759", "4,015,563"]  # 200 M × 1.25^20, × 20 / 86,400
    assert last[0][-4:] == ["7,831", "1,957", "or", "1,958"]
    assert "…" not in out


def test_a_servers_rate_that_is_given_says_so_beside_its_result(gameday: Gameday) -> None:
    _, out, _ = gameday("capacity", "--rps-per-server", "1234/s")

    assert " 147  36 or 37" in out  # 180,555.6 / 1,234 = 146.3
    assert "÷ 1234/s (given with --rps-per-server)" in out


def test_regions_that_all_get_the_same_show_one_figure(gameday: Gameday, tmp_path: Path) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text("timeline_api: {regions: 7}")

    _, out, _ = gameday("capacity", "--inputs", str(path))

    assert any(line.endswith(" 91        13") for line in out.splitlines()), out


def test_a_file_overrides_what_it_names_and_the_rest_stays(gameday: Gameday, tmp_path: Path) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text(EVERY_SECTION)

    code, out, _ = gameday("capacity", "--inputs", str(path), "--json")

    inputs = json.loads(out)["inputs"]
    assert code == 0
    assert inputs["demand"] == {
        "daily_active_users": "50M",
        "tweets_per_day": "1500",
        "hot_users": "10M",
        "growth_per_year": "25%",
    }
    assert inputs["redis"]["usable_per_node"] == "64GB"
    assert inputs["database"]["tweets_kept"] == "5y"


def test_what_is_not_the_default_is_printed_with_the_default(gameday: Gameday, tmp_path: Path) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text("demand: {daily_active_users: 50M, hot_users: 10M}")

    _, out, _ = gameday("capacity", "--inputs", str(path))

    assert out.splitlines()[-2:] == [
        "Inputs other than the default:",
        "  demand.daily_active_users: 50M (default 200M)",
    ]


def test_json_has_every_year_the_rate_and_where_it_comes_from(gameday: Gameday) -> None:
    code, out, _ = gameday("capacity", "--json", "--years", "1", "--rps-per-server", "60000/min")

    plan = json.loads(out)
    assert code == 0
    assert plan["server"] == {"rps": "1000/s", "source": "given with --rps-per-server"}
    assert [year["timeline_api"]["servers"] for year in plan["years"]] == [181, 226]
    assert plan["years"][0]["database"]["required_tb"] == pytest.approx(1941.9986, abs=1e-4)


def test_the_inputs_of_a_plan_in_json_are_a_file_of_inputs(gameday: Gameday, tmp_path: Path) -> None:
    _, out, _ = gameday("capacity", "--json")
    path = tmp_path / "inputs.yaml"
    path.write_text(json.dumps(json.loads(out)["inputs"]))

    assert load_capacity_inputs(path) == Inputs()


# what the file says → line, place, what is wrong with it, what to do
MISTAKES = {
    "a misspelt section": ("demnad: {}", 1, "$.demnad", '"demnad" is not known here', 'Did you mean "demand"?'),
    "a misspelt input": (
        "demand:\n  daily_active_user: 5M",
        2,
        "$.demand.daily_active_user",
        '"daily_active_user" is not known here',
        'Did you mean "daily_active_users"?',
    ),
    "an input outside its section": (
        "tweets_per_day: 5M",
        1,
        "$.tweets_per_day",
        "is not known here",
        "Known: database, demand, redis, timeline_api.",
    ),
    "a rate without unit": (
        "timeline_api:\n  regions: 2\n  rps_per_server: 900",
        3,
        "$.timeline_api.rps_per_server",
        '900 has no unit: write "900/s"',
        "",
    ),
    "a unit of something else": (
        "redis: {usable_per_node: 64s}",
        1,
        "$.redis.usable_per_node",
        '"s" is not a unit of a size (known: B, KB, MB, GB, TB, PB)',
        "",
    ),
    "half a user": ("demand:\n\n  hot_users: 1.5", 3, "$.demand.hot_users", '"1.5" is not a whole number', ""),
    "text for a number": (
        "timeline_api: {peak_factor: thrice}",
        1,
        "$.timeline_api.peak_factor",
        '"thrice" is not a number',
        "",
    ),
    "half a region": ("timeline_api: {regions: 1.5}", 1, "$.timeline_api.regions", "1.5 is not a whole number", ""),
    "yes for a number": ("redis: {replication: true}", 1, "$.redis.replication", "True is not a whole number", ""),
    "a list for a section": ("redis: [1]", 1, "$.redis", "a list is not a mapping", ""),
    "a section left empty": ("database:\n", 1, "$.database", "an empty value is not a mapping", ""),
    "an input left empty": (
        "redis:\n  tweet:\n",
        2,
        "$.redis.tweet",
        "an empty value is not a quantity",
        'Write it like "500B" or "200GB".',
    ),
    "negative users": ("demand: {hot_users: -1}", 1, "$.demand.hot_users", "must be finite and not negative", ""),
    "a server that does nothing": (
        "timeline_api: {rps_per_server: 0/s}",
        1,
        "$.timeline_api.rps_per_server",
        '"0/s" must be from 0.001/s to 100000/s',
        "",
    ),
    "a node that holds nothing": (
        "redis: {usable_per_node: 0B}",
        1,
        "$.redis.usable_per_node",
        '"0B" must be from 1MB to 1PB',
        "",
    ),
    "no region": ("timeline_api: {regions: 0}", 1, "$.timeline_api.regions", "0 must be from 1 to 1000", ""),
    "a peak below the average": (
        "timeline_api: {peak_factor: 0.5}",
        1,
        "$.timeline_api.peak_factor",
        "0.5 must be from 1 to 1000",
        "",
    ),
    "more users than there are": (
        "redis: {cached_users: 101%}",
        1,
        "$.redis.cached_users",
        '"101%" must be from 0% to 100%',
        "",
    ),
    "too many users": (
        "demand: {daily_active_users: 1001G}",
        1,
        "$.demand.daily_active_users",
        '"1001G" must be from 0 to 1000G',
        "",
    ),
    "not a number": (
        "timeline_api: {peak_factor: .nan}",
        1,
        "$.timeline_api.peak_factor",
        '".nan" is not a number',
        "",
    ),
    "an infinite rate": (
        "timeline_api: {rps_per_server: inf/s}",
        1,
        "$.timeline_api.rps_per_server",
        '"inf/s" is not a rate',
        "",
    ),
    "a key twice": ("redis: {}\nredis: {}", 2, "", '"redis" is written twice (first on line 1)', "Keep one of them."),
    "no YAML": ("redis: {", 1, "", "this is not YAML", ""),
    "no mapping": ("just text", 1, "$", '"just text" is not a mapping', ""),
}


@pytest.mark.parametrize(("text", "line", "place", "what", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_file_is_told_with_line_and_remedy(
    *, gameday: Gameday, tmp_path: Path, text: str, line: int, place: str, what: str, hint: str
) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text(text)

    code, out, err = gameday("capacity", "--inputs", str(path))

    assert (code, out) == (2, "")
    assert f"{path}:{line}{place and f', {place}'}: " in err
    assert what in err
    assert hint in err


def test_all_inputs_out_of_range_are_told_at_once(gameday: Gameday, tmp_path: Path) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text("timeline_api:\n  regions: 0\n  peak_factor: 0.1\n")

    _, _, err = gameday("capacity", "--inputs", str(path))

    assert "inputs.yaml:2, $.timeline_api.regions" in err
    assert "inputs.yaml:3, $.timeline_api.peak_factor" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--years", "-1"), "--years -1: must be from 0 to 20."),
        (("--years", "21"), "--years 21: must be from 0 to 20."),
        (("--years", "1.5"), "valid integer"),
        (("--rps-per-server", "1234"), '--rps-per-server: "1234" has no unit: write "1234/s".'),
        (("--rps-per-server", "fast"), '--rps-per-server: "fast" is not a rate'),
        (("--rps-per-server", "0/s"), "--rps-per-server 0/s: must be from 0.001/s to 100000/s."),
        (("--rps-per-server", "-5/s"), "must be finite and not negative"),
        (("--rps-per-server", "1e999/s"), "must be finite and not negative"),
        (("--inputs", "/nowhere/inputs.yaml"), "/nowhere/inputs.yaml"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(gameday: Gameday, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = gameday("capacity", *arguments)

    assert (code, out) == (2, "")
    assert sentence in err


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, len(EVERY_SECTION)), length=st.integers(0, 20), text=st.text(max_size=8))
def test_a_mutated_file_is_still_valid_or_refused_with_its_name(
    tmp_path: Path, start: int, length: int, text: str
) -> None:
    path = tmp_path / "inputs.yaml"
    mutated = EVERY_SECTION[:start] + text + EVERY_SECTION[start + length :]
    path.write_text(mutated, encoding="utf-8", errors="replace")

    refusal = refusal_of(path)
    assert refusal is None or refusal.startswith(f"{path}:")


def refusal_of(path: Path) -> str | None:
    try:
        load_capacity_inputs(path)
    except ExperimentError as error:
        return str(error)
    return None


def _knee(folder: Path, knee: Knee) -> str:
    path = folder / "knee.json"
    path.write_bytes(knee_json(knee))
    return str(path)


def test_a_measured_rate_takes_the_place_of_the_assumed_one_and_says_where_it_is_from(
    gameday: Gameday, tmp_path: Path
) -> None:
    code, out, _ = gameday("capacity", "--measured", _knee(tmp_path, a_knee()))

    assert code == 0
    assert " 1,246  311 or 312" in out  # 180,555.6 / 145 = 1,245.2
    assert "÷ 145/s (measured by timeline_capacity on twitter-unprotected, slo in baseline: p99 ≤ 150ms)" in " ".join(
        out.split()
    )


def test_a_rate_that_no_second_run_has_confirmed_says_so(gameday: Gameday, tmp_path: Path) -> None:
    once = a_knee(point(100, Outcome.PASS), point(400, Outcome.FAIL))

    code, out, _ = gameday("capacity", "--measured", _knee(tmp_path, once))

    assert code == 0
    assert "p99 ≤ 150ms; no second run has confirmed it)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("knee", "why"),
    [
        (a_knee(point(100, Outcome.PASS), point(400, Outcome.PASS)), "knows no server's rate. Still holds at 400/s"),
        (a_knee(point(100, Outcome.INCONCLUSIVE)), "knows no server's rate. The runs do not decide at 100/s"),
        (a_knee(subject=msgspec.structs.replace(SUBJECT, judged_by="recovery")), "was searched by recovery"),
        (a_knee(subject=msgspec.structs.replace(SUBJECT, defect="no_pool_shedding")), "the defect no_pool_shedding"),
        (a_knee(subject=msgspec.structs.replace(SUBJECT, replicas=0)), "knows no server's rate"),
    ],
)
def test_a_search_that_measured_no_server_is_refused(gameday: Gameday, tmp_path: Path, knee: Knee, why: str) -> None:
    code, out, err = gameday("capacity", "--measured", _knee(tmp_path, knee))

    assert (code, out) == (2, "")
    assert why in err


def test_a_file_that_is_no_result_of_a_search_is_refused(gameday: Gameday, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"experiment": "x"}')

    code, _, err = gameday("capacity", "--measured", str(path))

    assert code == 2
    assert "plan.json: is no result of `gameday knee`. That writes a file knee.json." in err


def test_a_rate_is_measured_or_given_but_not_both(gameday: Gameday, tmp_path: Path) -> None:
    code, _, err = gameday("capacity", "--measured", _knee(tmp_path, a_knee()), "--rps-per-server", "1/s")

    assert code == 2
    assert "Give one of them" in err
