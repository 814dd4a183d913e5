import msgspec
import pandas as pd
import pytest

from harness.report.hurt import who_was_hurt
from tests.harness.a_run import a_run
from tests.harness.report import some
from tests.harness.simulation import the_target

# user, region asked, operation, outcome, scheduled, finished
Asked = tuple[int, str, str, str, float, float]


def told(*requests: Asked, regions: tuple[str, ...] = ("us-east",)) -> str:
    def these(frame: pd.DataFrame) -> pd.DataFrame:
        names = ["user", "region_asked", "operation", "outcome", "scheduled_s", "finished_s"]
        return frame.iloc[: len(requests)].assign(
            **{name: list(values) for name, values in zip(names, zip(*requests, strict=True), strict=True)}
        )

    target = msgspec.structs.replace(the_target(), regions=regions)
    return who_was_hurt(a_run().with_target(target).altering_requests(these).built())


def test_nothing_asked_is_nothing_said() -> None:
    assert who_was_hurt(some.an_empty_run()) == ""


def test_without_errors_nobody_was_hurt() -> None:
    requests: list[Asked] = [(1, "us-east", "home", "ok", 1.0, 9.0), (2, "us-east", "search", "shed", 1.0, 1.1)]

    assert told(*requests) == "Who met errors: nobody of 2 users; 1 was refused something."


def test_who_met_errors_is_told_with_how_long_and_what_failed() -> None:
    requests: list[Asked] = [
        (1, "us-east", "post", "failed", 1.0, 1.5),
        (2, "us-east", "post", "unknown", 2.0, 6.5),
        (2, "us-east", "home", "not_sent", 3.0, float("nan")),
        (3, "us-east", "home", "ok", 3.0, 3.1),
    ]

    assert told(*requests) == (
        "Who met errors: 2 of 3 users. Half of them in at most 3 seconds of the run, the worst in 5, all "
        "between 1.0 s and 3.0 s. What failed: post 2, home 1."
    )


def test_where_there_are_several_regions_each_has_its_number() -> None:
    requests: list[Asked] = [
        (1, "us-east", "post", "failed", 1.0, 1.5),
        (1, "us-east", "post", "failed", 2.0, 2.5),
        (2, "europe", "post", "ok", 1.0, 1.5),
    ]

    assert "Who met errors: 1 of 2 users (us-east 1, europe 0)." in told(*requests, regions=("us-east", "europe"))


@pytest.mark.parametrize(("operations", "words"), [(3, "What failed: a 1, b 1, c 1."), (5, "and 2 more operations.")])
def test_of_many_operations_the_most_frequent_are_named(operations: int, words: str) -> None:
    requests: list[Asked] = [(1, "us-east", name, "failed", 1.0, 1.5) for name in "abcde"[:operations]]

    assert told(*requests).endswith(words)
