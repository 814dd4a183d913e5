"""Which planted defects a target knows."""

from difflib import get_close_matches

from harness.errors import ExperimentError
from harness.target.target import TargetSpec


def check_defect(spec: TargetSpec, defect: str | None) -> None:
    """ExperimentError with the nearest known name for a defect that the target does not have."""
    if defect and defect not in spec.defects:
        near = get_close_matches(defect, spec.defects, n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise ExperimentError(f'{spec.name} has no defect "{defect}".{hint} Known: {", ".join(sorted(spec.defects))}.')
