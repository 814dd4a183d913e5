"""Where everything of a scene is drawn."""

import pytest

from harness.report.spacetime import COLUMN, LABELS, diagram_of
from harness.verify.verdict import Act, Arrow, Scene


def act(session: int, region: str, start_s: float, end_s: float, words: str = "wrote p1") -> Act:
    return Act(session=session, region=region, kind="write", start_s=start_s, end_s=end_s, words=words)


def scene(*acts: Act, arrows: tuple[Arrow, ...] = ()) -> Scene:
    return Scene(title="A title", sentence="A sentence.", promised=True, acts=acts, arrows=arrows)


def test_a_scene_without_operations_is_an_empty_picture() -> None:
    empty = diagram_of(scene())

    assert (empty.lanes, empty.boxes, empty.pointers) == ((), (), ())


def test_each_session_has_a_lane_in_each_region_and_a_regions_lanes_lie_together() -> None:
    drawn = diagram_of(
        scene(act(1, "us-east", 1, 2), act(2, "europe", 2, 3), act(3, "us-east", 3, 4), act(4, "", 5, 6))
    )

    assert [(lane.region, lane.session) for lane in drawn.lanes] == [
        ("us-east", "session 1"),
        ("us-east", "session 3"),
        ("europe", "session 2"),
        ("nobody knows where", "session 4"),
    ]
    assert drawn.boxes[2].y == drawn.lanes[1].y


def test_a_box_that_was_not_over_reaches_into_the_next_column() -> None:
    apart, beside = (diagram_of(scene(act(1, "a", 0, end_s), act(2, "b", 5, 6))) for end_s in (4, 5.5))

    assert [box.x for box in apart.boxes] == [LABELS, LABELS + COLUMN]
    assert apart.boxes[0].end < apart.boxes[1].x
    assert beside.boxes[0].end > beside.boxes[1].x


def test_everything_is_inside_the_picture() -> None:
    acts = [act(n, f"region-{n % 3}", n, n + 20.0) for n in range(10)]
    drawn = diagram_of(scene(*acts, arrows=(Arrow(source=0, target=9, missing=True),)))

    assert max(box.end for box in drawn.boxes) <= drawn.width
    assert max(lane.y for lane in drawn.lanes) < drawn.height


@pytest.mark.parametrize("missing", [True, False])
def test_an_arrow_ends_at_the_read_and_marks_it_where_something_is_missing(missing: bool) -> None:
    arrow = Arrow(source=0, target=1, missing=missing)
    drawn = diagram_of(scene(act(1, "us-east", 1, 2), act(2, "europe", 3, 4), arrows=(arrow,)))

    target = drawn.boxes[1]
    assert drawn.pointers[0].head.startswith(f"{target.x:.1f},{target.top:.1f} ")
    assert (drawn.pointers[0].missing, target.wrong) == (missing, missing)


def test_long_ids_are_told_by_their_ends_and_whole_when_pointed_at() -> None:
    (box,) = diagram_of(scene(act(1, "a", 1, 2, words="saw 2026-11-22T051108Z-41, missed p1"))).boxes

    assert box.words == ("saw …22T051108Z-41", "missed p1")
    assert "2026-11-22T051108Z-41" in box.whole
