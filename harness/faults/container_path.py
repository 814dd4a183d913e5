"""The way to a service in a container: through the data path, and to what the kernel's accounts say of it."""

from dataclasses import dataclass

from harness.faults.canary import Path
from harness.target.container_target import ContainerTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPath(Path):
    """A service's path, and the target whose engine passes the accounts on."""

    target: ContainerTarget
