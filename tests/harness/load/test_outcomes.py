"""A write is failed only where it is certain that it did not happen."""

import pytest

from harness.load.outcomes import of_answer, of_error
from harness.record.rows import ErrorClass, Outcome

OK, SHED, DISABLED, FAILED, UNKNOWN = Outcome.OK, Outcome.SHED, Outcome.DISABLED, Outcome.FAILED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "marks", "read", "write", "error", "why"),
    [
        (200, {}, OK, OK, "", "answered"),
        (201, {}, OK, OK, "", "created"),
        (101, {}, OK, OK, "", "switched to a WebSocket"),
        (200, {"disabled"}, OK, OK, "", "replaced, not refused: an answer all the same"),
        (200, {"shed"}, OK, OK, "", "a marker on an answer refuses nothing"),
        (200, {"wrong"}, FAILED, UNKNOWN, "wrong_answer", "a nonsensical yes to a write may still be a yes"),
        (302, {}, FAILED, UNKNOWN, "wrong_answer", "nobody asked for a redirect"),
        (404, {}, FAILED, FAILED, "status_4xx", "refused before anything was written"),
        (429, {}, FAILED, FAILED, "status_4xx", "rate limited"),
        (429, {"shed"}, SHED, SHED, "", "shed, by the other status"),
        (500, {}, FAILED, UNKNOWN, "status_5xx", "may have committed before it broke"),
        (500, {"shed"}, FAILED, UNKNOWN, "status_5xx", "a shedder does not answer 500"),
        (502, {}, FAILED, UNKNOWN, "status_5xx", "the gateway does not know either"),
        (503, {}, FAILED, UNKNOWN, "status_5xx", "without a marker it is an error like any other"),
        (503, {"refused"}, FAILED, FAILED, "status_5xx", "the target knows that nothing was done"),
        (504, {"refused"}, FAILED, UNKNOWN, "status_5xx", "whoever waited in vain does not know"),
        (503, {"shed"}, SHED, SHED, "", "decided before the handler"),
        (503, {"disabled"}, DISABLED, DISABLED, "", "read-only mode"),
        (503, {"shed", "disabled"}, SHED, SHED, "", "shed before anybody looked at the feature"),
        (503, {"disabled", "wrong"}, DISABLED, DISABLED, "", "a refusal has no content to be wrong"),
    ],
)
def test_an_answer(  # noqa: PLR0917 (a table's columns)
    status: int, marks: set[str], read: Outcome, write: Outcome, error: str, why: str
) -> None:
    for writes, wanted in ((False, read), (True, write)):
        found = of_answer(
            status,
            writes=writes,
            shed="shed" in marks,
            disabled="disabled" in marks,
            refused="refused" in marks,
            wrong="wrong" in marks,
        )

        assert found == (wanted, ErrorClass(error)), why


@pytest.mark.parametrize(
    ("writes", "connected", "outcome"),
    [(False, False, FAILED), (False, True, FAILED), (True, False, FAILED), (True, True, UNKNOWN)],
)
@pytest.mark.parametrize("error", [ErrorClass.RESET, ErrorClass.DEADLINE, ErrorClass.CLOSED])
def test_no_answer(error: ErrorClass, writes: bool, connected: bool, outcome: Outcome) -> None:
    assert of_error(error, writes=writes, connected=connected) == (outcome, error)
