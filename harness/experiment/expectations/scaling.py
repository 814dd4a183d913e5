"""Whether replicas are added and removed as the autoscaler is configured."""

from harness.experiment.expectations.autoscaler import Autoscaler
from harness.experiment.strict import Strict
from harness.units import PerSecond, Seconds


class ScalingCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="scaling"):
    """The number of replicas is at every sync the one that Kubernetes' autoscaler would decide from the same metrics.

    `load_metric` is the metric that has to be the offered load, whatever of it is shed; `sheds_above` is the load of
    one scaled replica above which shedding begins, if that is not what the target promises. `max_flaps` bounds how
    often the direction changes in any 10 minutes (divided by `time_scale`) in which the planned rate did not,
    `ready_within` the time from a rise of the planned rate until as many replicas are ready as it needed in the end.
    With `expect_scaling` a run in which nothing had to be scaled proves nothing.
    """

    autoscaler: Autoscaler = Autoscaler()
    load_metric: str | None = "requests_per_second"
    sheds_above: PerSecond | None = None
    max_flaps: int | None = None
    ready_within: Seconds | None = None
    expect_scaling: bool = True
