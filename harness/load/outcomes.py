"""How a request ended, from what came back and how far it got: one pure function, because consistency rests on it.

A write is `failed` only where it is certain that it never took effect; otherwise it is `unknown`. A read changes
nothing, so its errors are always `failed`. After Maelstrom's rule: an error is definite only when the server is known
not to have done it; when in doubt, it is not.
"""

from harness.record.rows import ErrorClass, Outcome

REFUSING_STATUSES = frozenset({429, 503})  # a marked refusal carries one of these


def of_answer(
    status: int, *, writes: bool, shed: bool, disabled: bool, refused: bool = False, wrong: bool
) -> tuple[Outcome, ErrorClass]:
    """For a complete answer; `shed`, `disabled` and `refused` say whether it carries the target's marker for that:
    `refused` is for errors of which the target knows that nothing was done."""
    if shed and status in REFUSING_STATUSES:
        return Outcome.SHED, ErrorClass.NONE
    if disabled and status == 503:
        return Outcome.DISABLED, ErrorClass.NONE
    if 400 <= status < 500:
        return Outcome.FAILED, ErrorClass.STATUS_4XX
    if status >= 500:
        return _broken(writes=writes and not (refused and status in REFUSING_STATUSES)), ErrorClass.STATUS_5XX
    # Redirects are not followed and nobody asked for one: whatever they mean, it is not what was asked for.
    if wrong or not (200 <= status < 300 or status == 101):
        return _broken(writes=writes), ErrorClass.WRONG_ANSWER
    return Outcome.OK, ErrorClass.NONE


def of_error(error: ErrorClass, *, writes: bool, connected: bool) -> tuple[Outcome, ErrorClass]:
    """For a request without a complete answer; `connected` is false where not a byte of it can have been sent."""
    return _broken(writes=writes and connected), error


def _broken(*, writes: bool) -> Outcome:
    return Outcome.UNKNOWN if writes else Outcome.FAILED
