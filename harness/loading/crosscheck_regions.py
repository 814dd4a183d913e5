"""What types alone cannot say of faults on regions: the regions exist, are not all attacked at once, and nothing else
attacks their parts meanwhile.

Pure, as `crosscheck.py` is: it opens no file and returns all mistakes together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from harness.experiment.faults import (
    Fault,
    LinkFault,
    MomentaryFault,
    PartitionFault,
    RegionFault,
    RegionFlapFault,
    WrittenFault,
    fault_id,
    place_of,
)
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Where
from harness.region_faults import FEWEST_CUTS, cuts_of, parts_of, whole_region
from harness.target.target import TargetSpec

MIN_FLAP_S = 2.0  # a cut takes half a second to be shown, and its end as long

Mistake = tuple[Where, str, str]  # where, what is wrong, hint


def region_place(fault: RegionFault, where: Where, target: TargetSpec) -> Iterator[Mistake]:
    """Whether there are such regions in the target, and anything in them to attack."""
    unknown = [(place, region) for place, region in _named(fault, where) if region not in target.regions]
    for place, region in unknown:
        yield place, f"{shortened(region)} is not a region of {target.name}.", did_you_mean(region, target.regions)
    if unknown:
        return
    if isinstance(fault, PartitionFault) and len(set(fault.between)) == 1:
        sentence = f"{shortened(fault.between[0])} stands on both sides: nothing can be cut off from itself."
        yield (*where, "between"), sentence, "Name two regions."
    elif whole_region(fault) is not None and len(target.regions) == 1:
        yield (*where, "region"), f"{shortened(target.regions[0])} is the only region of {target.name}.", _LEAVE_ONE
    elif not parts_of(fault, target) and not (isinstance(fault, RegionFlapFault) and not cuts_of(fault)):
        yield where, f"{target.name} has no service or link there that may be attacked.", ""


def region_figures(fault: RegionFault, where: Where) -> Iterator[Mistake]:
    if not isinstance(fault, RegionFlapFault):
        return
    if fault.every < MIN_FLAP_S:
        sentence = f"{fault.every} is too short for a cut to be shown; at least {MIN_FLAP_S:g}s."
        yield (*where, "every"), sentence, ""
    elif len(cuts_of(fault)) < FEWEST_CUTS:
        sentence = f"{fault.lasts} is not long enough to be cut, whole and cut again, each for {fault.every}."
        yield (*where, "lasts"), sentence, "Make it longer, or use region_cut."


# --- faults among each other ----------------------------------------------------------------------------------------

_LEAVE_ONE = "One region has to be left alone: without any, nobody could take over and nothing would be learnt."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A fault on one place, with the times that count from `disturbed`."""

    fault: Fault
    start_s: float
    end_s: float

    @property
    def place(self) -> str:
        return place_of(self.fault)

    def meets(self, other: "_Span") -> bool:
        """Ends that touch count: a revert takes its time."""
        return self.start_s <= other.end_s and other.start_s <= self.end_s


def region_overlaps(faults: tuple[WrittenFault, ...], target: TargetSpec) -> Iterator[Mistake]:
    """Faults that attack a part of a fault on a region while that lasts, or without which its canary is blind."""
    spans = [_spans(fault, target) for fault in faults]
    for (first, one), (second, other) in combinations(enumerate(faults), 2):
        if not isinstance(one, RegionFault) and not isinstance(other, RegionFault):
            continue
        why = next((why for a, b in product(spans[first], spans[second]) if (why := _conflict(a, b, target))), None)
        if why is not None:
            mine, its = fault_id(other, second + 1), fault_id(one, first + 1)
            sentence = f"{mine} overlaps with $.faults[{first}], {its}: {why}."
            hint = "Let the one end before the other begins, or leave one of them out."
            yield ("faults", second), sentence, hint


def _conflict(one: _Span, other: _Span, target: TargetSpec) -> str | None:
    if not one.meets(other):
        return None
    if one.place == other.place:
        return f"both attack {one.place}"
    for link, service in ((one, other), (other, one)):
        known = target.links.get(link.place) if isinstance(link.fault, LinkFault) else None
        if known is not None and known.upstream == service.place:
            return f"the link {link.place} leads to {service.place}, so what is done to it could not be shown"
    return None


def everywhere_at_once(faults: tuple[WrittenFault, ...], target: TargetSpec) -> Iterator[Mistake]:
    """Faults that together leave no region alone at some moment; told at the one that begins last."""
    wide = [
        (number, region, _span_of(fault))
        for number, fault in enumerate(faults)
        if isinstance(fault, RegionFault) and (region := whole_region(fault)) is not None
    ]
    for number, _, (begins_s, _) in wide:
        meanwhile = {region: other for other, region, (start_s, end_s) in wide if start_s <= begins_s <= end_s}
        is_told = any(other > number and faults[other].at == begins_s for other in meanwhile.values())
        if len(target.regions) > 1 and set(target.regions) <= set(meanwhile) and not is_told:
            others = ", ".join(f"$.faults[{other}]" for other in sorted(meanwhile.values()) if other != number)
            sentence = f"with {others} all regions of {target.name} are attacked at the same time."
            yield ("faults", number), sentence, _LEAVE_ONE


def _span_of(fault: RegionFault) -> tuple[float, float]:
    return float(fault.at), float(fault.at + fault.lasts)


def _spans(fault: WrittenFault, target: TargetSpec) -> list[_Span]:
    if isinstance(fault, RegionFault):
        return [_span(part.fault) for part in parts_of(fault, target)]
    return [_span(fault)]


def _span(fault: Fault) -> _Span:
    lasts_s = 0.0 if isinstance(fault, MomentaryFault) else float(fault.lasts)
    return _Span(fault=fault, start_s=float(fault.at), end_s=fault.at + lasts_s)


def _named(fault: RegionFault, where: Where) -> list[tuple[Where, str]]:
    if isinstance(fault, PartitionFault):
        return [((*where, "between", side), region) for side, region in enumerate(fault.between)]
    return [((*where, "region"), fault.region)]
