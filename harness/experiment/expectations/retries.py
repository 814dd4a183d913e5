"""How much more may be sent because something failed."""

from harness.experiment.strict import Strict
from harness.units import Ratio


class RetriesCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="retries"):
    """Attempts on dependencies stay within 1 + `budget` of the calls made, second by second and overall.

    `dependency` is the only one that is meant, as the replicas name it in their metrics; without it all are. A budget
    of 0 % says that nothing goes out twice: then a single repetition breaks it, and no few calls are too few.
    """

    budget: Ratio = Ratio(0.20)
    dependency: str | None = None
