"""Where the runbook has to lead."""

from harness.experiment.strict import Strict


class DiagnosisCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="diagnosis"):
    """The target's runbook, followed on what was recorded, shows `symptom` and leads to `cause` each time it does.

    No other symptom shows but those of `may_show`. Without a symptom none may show at all.
    """

    symptom: str | None = None
    cause: str | None = None
    may_show: tuple[str, ...] = ()
