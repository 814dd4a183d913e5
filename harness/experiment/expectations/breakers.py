"""What circuit breakers do about a broken dependency."""

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class BreakersCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="breakers"):
    """Calls to what is broken stop, probes are few and not in step, calls go on afterwards, and nothing is left over.

    `dependencies` are meant as replicas name them in their metrics, by the role of what they call (`redis`), and of
    another region with its name first (`europe.gateway`). For each fault that cuts one of them off, the breakers of all
    replicas that it concerns open within `opens_within` of the injection, stay open as long as it lasts, and are closed
    for good within `closes_within` of the revert. At the end at most `leaked` database connections of a replica are in
    use while no request is at work. `late` bounds how many requests replicas worked on for longer than the load's
    deadline, as a share of those that users gave up waiting for.
    """

    dependencies: tuple[str, ...] = ()
    opens_within: Seconds = Seconds(5.0)
    closes_within: Seconds = Seconds(5.0)
    leaked: int = 0
    late: Ratio | None = None
