"""How the target names the headers of its answers."""

from harness.target.strict import Strict


class Headers(Strict, frozen=True, kw_only=True):
    """Names of the response headers that carry what the record keeps, and of the request headers that say where the
    client is and how many milliseconds it waits."""

    served_by: str = "X-Served-By"
    region: str = "X-Region"
    level: str = "X-Degradation-Level"
    priority: str = "X-Priority"
    cache: str = "X-Cache"
    age: str = "Age"  # RFC 9111: whole seconds since the answer was made
    shed: str = "X-Shed"
    disabled_feature: str = "X-Disabled-Feature"
    refused: str = "X-Refused"
    banner: str = "X-Degraded-Banner"
    client_region: str = "X-Client-Region"
    deadline: str = "X-Deadline"
