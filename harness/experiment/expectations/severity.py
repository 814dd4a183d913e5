"""How bad it may get for users."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import Seconds


class Severity(StrEnum):
    """How bad an incident is, by the share of users that it affects; SEV4: none, and something that might yet."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"
    NONE = "none"


class SeverityCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="severity"):
    """Within no ten seconds after the warm-up are more users affected than `at_most` allows.

    A user is affected of whose requests in those ten seconds a tenth or more met an error, an answer later than `late`,
    or a refusal of priority 1 to 3. SEV2 allows at most 50 % of those who came, SEV3 10 %, SEV4 nobody; `none` also
    allows no such request at all, no alert, no level above the first, and no part that is away.
    """

    at_most: Severity
    late: Seconds = Seconds(1.0)
