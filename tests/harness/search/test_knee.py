"""What a search comes to, in words and as a file."""

import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExperimentError
from harness.search.bisection import Ending
from harness.search.knee import Point, knee_json, read_knee
from harness.units import PerSecond
from harness.verify.verdict import Outcome
from tests.harness.search.some import SUBJECT, a_knee, point

PASS, FAIL, UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def test_a_knee_is_shared_evenly_among_regions_and_replicas() -> None:
    knee = a_knee(subject=msgspec.structs.replace(SUBJECT, regions=4, replicas=8))

    assert knee.ending is Ending.FOUND
    assert (knee.highest_pass, knee.lowest_fail) == (PerSecond(290), PerSecond(295))
    assert (knee.per_region, knee.per_replica) == (PerSecond(72.5), PerSecond(36.25))
    assert knee.sentence == "Holds up to 290/s, no longer at 295/s (6 runs)."


def test_the_answer_as_a_share_of_a_known_capacity() -> None:
    knee = a_knee(subject=msgspec.structs.replace(SUBJECT, capacity=PerSecond(1160)))

    assert str(knee.share_of_capacity) == "25%"
    assert a_knee().share_of_capacity is None


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([point(100, PASS)], "The runs do not decide (1 run)."),
        (
            [point(100, PASS), point(400, FAIL)],
            "Holds up to 100/s, no longer at 400/s (2 runs). What lies between is not known. "
            "A second run has not confirmed both.",
        ),
        (
            [point(rate, outcome) for rate, outcome in ((100, PASS), (400, FAIL), (250, PASS), (250, FAIL))],
            "Holds up to 100/s, no longer at 400/s (4 runs). What lies between is not known. "
            "At 250/s it held once and once not. A second run has not confirmed both.",
        ),
        ([point(400, PASS), point(100, PASS)], "Still holds at 400/s, the highest rate of the search (2 runs)."),
        ([point(100, FAIL)], "Does not hold even at 100/s, the lowest rate of the search (1 run)."),
        (
            [point(100, FAIL), point(400, PASS)],
            "More load cannot be easier, so nothing is known: holds at 400/s and not at 100/s (2 runs).",
        ),
        ([point(100, UNSURE), point(100, UNSURE)], "The runs do not decide at 100/s (2 runs)."),
    ],
)
def test_each_ending_is_a_sentence(points: list[Point], sentence: str) -> None:
    knee = a_knee(*points)

    assert knee.sentence == sentence
    assert (knee.per_replica is not None) == (knee.ending is Ending.FOUND)


def test_a_written_result_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "knee.json"
    path.write_bytes(knee_json(a_knee()))

    assert read_knee(path) == a_knee()


def test_the_result_of_an_older_search_does_not_tell_how_many_were_timed(tmp_path: Path) -> None:
    older = json.loads(knee_json(a_knee()))
    for each in older["points"]:
        del each["timed"]
    path = tmp_path / "knee.json"
    path.write_text(json.dumps(older))

    assert {each.timed for each in read_knee(path).points} == {None}


def _with(**values: object) -> bytes:
    return json.dumps({**json.loads(knee_json(a_knee())), **values}).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", r"is no result of `gameday knee` \("),
        (b"\xff", r"is no result of `gameday knee` \("),
        (b"[1]", r"is no result of `gameday knee` \("),
        (b'{"format_version": 1, "experiment": "x"}', "That writes a file knee.json"),
        (_with(format_version=2), "has format version 2, this version of the tool reads 1"),
        (_with(highest_pass=290), r"is damaged: .*\$\.highest_pass"),
        (_with(ending="guessed"), r"is damaged: .*guessed"),
        (_with(more=1), r"is damaged: .*more"),
    ],
)
def test_another_file_is_refused_with_what_it_is(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)

    with pytest.raises(ExperimentError, match=rf"other\.json: .*{why}"):
        read_knee(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ExperimentError, match="cannot be read"):
            read_knee(path)
