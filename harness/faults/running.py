"""What runs a service now, in a form that a journal can hold: a process, or a container where the target has those."""

from harness.faults.container import running_container
from harness.faults.journal import Container, Process
from harness.faults.process import running_process
from harness.target.identity import ContainerIdentity
from harness.target.running_target import RunningTarget


def running_service(target: RunningTarget, service: str) -> Process | Container | None:
    """None where it does not run, or has just been replaced."""
    if isinstance(target.identity(service), ContainerIdentity):
        return running_container(target, service)
    return running_process(target, service)
