"""What types alone cannot say of a `target.yaml`: services that are named exist, ports differ, levels are in order.

Pure, as `crosscheck.py` is: it opens no file and returns all mistakes together.
"""

from collections.abc import Iterator

from harness.errors import ExperimentError
from harness.loading.crosscheck import told
from harness.loading.crosscheck_regions import Mistake
from harness.loading.crosscheck_runbook import runbook_mistakes
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Document, Where
from harness.target.target import LinkSpec, TargetSpec


def target_mistakes(document: Document, target: TargetSpec) -> list[ExperimentError]:
    found = [*_services(target), *_links(target), *_ports(target), *_levels(target)]
    return told(
        document, [*found, *_shedding(target), *_caching(target), *_breakers(target), *runbook_mistakes(target)]
    )


def _services(target: TargetSpec) -> Iterator[Mistake]:
    if target.entry not in target.services:
        yield ("entry",), f"{shortened(target.entry)} is not a service.", did_you_mean(target.entry, target.services)
    for name, service in target.services.items():
        where: Where = ("services", name)
        if service.region is not None and service.region not in target.regions:
            hint = did_you_mean(service.region, target.regions)
            yield (*where, "region"), f"{shortened(service.region)} is not a region.", hint
        for key in ("metrics", "health"):
            path = getattr(service, key)
            if path is not None and not path.startswith("/"):
                yield (*where, key), f"{shortened(path)} is not a path on the service's port.", 'Start it with "/".'


def _links(target: TargetSpec) -> Iterator[Mistake]:
    for name, link in target.links.items():
        for key in ("toxiproxy", "upstream"):
            service = getattr(link, key)
            if service not in target.services:
                hint = did_you_mean(service, target.services)
                yield ("links", name, key), f"{shortened(service)} is not a service.", hint
        yield from _ends(name, link, target)


def _ends(name: str, link: LinkSpec, target: TargetSpec) -> Iterator[Mistake]:
    """Where there are several regions every link says which ones it joins, or a cut could silently miss it."""
    ends = {key: region for key in ("from_region", "to_region") if (region := getattr(link, key)) is not None}
    for key, region in ends.items():
        if region not in target.regions:
            hint = did_you_mean(region, target.regions)
            yield ("links", name, key), f"{shortened(region)} is not a region.", hint
    if len(target.regions) > 1 and not ends:
        hint = "Say from_region and to_region; leave out only an end that is in no region, as the edge is."
        yield ("links", name), "does not say which regions it joins.", hint
    for key in ("toxiproxy", "upstream"):
        service = target.services.get(getattr(link, key))
        if ends and service is not None and service.region is not None and service.region not in ends.values():
            sentence = f"{getattr(link, key)} is in {service.region}, which is neither from_region nor to_region."
            yield ("links", name, key), sentence, ""


def _ports(target: TargetSpec) -> Iterator[Mistake]:
    places: list[tuple[Where, int]] = []
    places += [(("services", name, "port"), each.port) for name, each in target.services.items()]
    places += [(("links", name, "listen"), each.listen) for name, each in target.links.items()]
    taken: dict[int, Where] = {}
    for where, port in places:
        if not 1 <= port <= 65535:
            yield where, f"{port} is not a port (1–65535).", ""
        elif port in taken:
            yield where, f"port {port} is taken by {taken[port][1]}.", "Each needs a port of its own."
        taken.setdefault(port, where)


def _levels(target: TargetSpec) -> Iterator[Mistake]:
    promise = target.promises.degradation
    if promise is None:
        return
    names: set[str] = set()
    for number, level in enumerate(promise.levels):
        where: Where = ("promises", "degradation", "levels", number)
        if level.value != number:
            yield (*where, "value"), f"{level.value} is not {number}: levels are written in order, from 0.", ""
        if level.name in names:
            yield (*where, "name"), f'the level "{level.name}" is written twice.', ""
        names.add(level.name)


def _shedding(target: TargetSpec) -> Iterator[Mistake]:
    promise = target.promises.shedding
    if promise is None:
        return
    where: Where = ("promises", "shedding")
    if promise.target_rate_per_replica <= 0:
        yield (*where, "target_rate_per_replica"), f"{promise.target_rate_per_replica} is not above 0/s.", ""
    if promise.rate_window <= 0:
        yield (*where, "rate_window"), f"{promise.rate_window} is not above 0s.", ""


def _caching(target: TargetSpec) -> Iterator[Mistake]:
    promise = target.promises.caching
    if promise is None:
        return
    layers = [one.layer for one in promise.layers]
    for kind, keepers in promise.kept_only_by.items():
        where: Where = ("promises", "caching", "kept_only_by", kind)
        if kind not in promise.kinds:
            yield where, f"{shortened(kind)} is not a kind.", did_you_mean(kind, promise.kinds)
        for number, keeper in enumerate(keepers):
            if keeper not in layers:
                yield (*where, number), f"{shortened(keeper)} is not a layer.", did_you_mean(keeper, layers)


def _breakers(target: TargetSpec) -> Iterator[Mistake]:
    promise = target.promises.breakers
    if promise is None:
        return
    where: Where = ("promises", "breakers")
    if promise.open_for <= 0:
        yield (*where, "open_for"), f"{promise.open_for} is not above 0s.", ""
    if not 0 < promise.jitter <= 1:
        hint = "Without jitter replicas that opened together probe together."
        yield (*where, "jitter"), f"{promise.jitter} is not above 0% and at most 100%.", hint
