"""Any one of the checks that a file may expect."""

from harness.experiment.expectations.alerts import AlertsCheck
from harness.experiment.expectations.breakers import BreakersCheck
from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.experiment.expectations.failover import FailoverCheck
from harness.experiment.expectations.fan_out import FanOutCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.routing import RoutingCheck
from harness.experiment.expectations.scaling import ScalingCheck
from harness.experiment.expectations.severity import SeverityCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck

Check = (
    SloCheck
    | DegradationCheck
    | SheddingCheck
    | RecoveryCheck
    | RetriesCheck
    | RoutingCheck
    | FailoverCheck
    | ConsistencyCheck
    | AlertsCheck
    | ScalingCheck
    | CachingCheck
    | FanOutCheck
    | SeverityCheck
    | DiagnosisCheck
    | BreakersCheck
)
