"""What a person sees of a capacity plan: three tables, and under each one how it was computed. Rendering only."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from harness.capacity.inputs import Inputs
from harness.capacity.plan import CapacityPlan, Year
from harness.capacity.timeline_api import ServerRate
from harness.units import Bytes

GB, TB = Bytes.units["GB"], Bytes.units["TB"]


def show_capacity(plan: CapacityPlan, console: Console) -> None:
    """The plan's tables, a row a year, and which inputs are not the default."""
    _table(
        console,
        "Timeline API, requests per second",
        ("users a day", "average", "peak", "with headroom", "servers", "a region"),
        [(year.year, *_timeline_api(year)) for year in plan.years],
        _timeline_api_formulas(plan.inputs, plan.server),
    )
    _table(
        console,
        "Redis",
        ("timelines", "tweets", "hot users", "required", "nodes"),
        [(year.year, *_redis(year)) for year in plan.years],
        _redis_formulas(plan.inputs),
    )
    _table(
        console,
        "Database",
        ("tweets a day", "tweets", "with indexes", "required", "in PB"),
        [(year.year, *_database(year)) for year in plan.years],
        _database_formulas(plan.inputs),
    )
    for line in _about_inputs(plan.inputs):
        _say(console, line)


def _table(
    console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]], formulas: tuple[str, ...]
) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("year", *columns):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    natural = Measurement.get(console, console.options.update(max_width=1000), table)
    table.width = natural.maximum  # even on a narrow terminal a figure may not lose its last digits
    console.print(f"[bold]{title}[/]")
    console.print(table, crop=False)
    for line in formulas:
        _say(console, f"[dim]{escape(line)}[/]")
    console.print()


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


def _timeline_api(year: Year) -> Iterator[str]:
    api = year.timeline_api
    yield from (
        f"{count:,}"
        for count in (year.daily_active_users, api.average_rps, api.peak_rps, api.with_headroom_rps, api.servers)
    )
    yield " or ".join(f"{n:,}" for n in sorted({api.servers_per_region_floor, api.servers_per_region_ceiling}))


def _timeline_api_formulas(inputs: Inputs, server: ServerRate) -> tuple[str, ...]:
    api = inputs.timeline_api
    return (
        f"average = users × {api.loads_per_user_per_day:g} loads a day ÷ 86,400 s",
        f"peak = average × {api.peak_factor:g}; with headroom = peak + {api.headroom}; fractions are cut off",
        f"servers = with headroom ÷ {server.rps} ({server.source}), rounded up",
        f"a region = servers ÷ {api.regions}, rounded down and up",
    )


def _redis(year: Year) -> tuple[str, ...]:
    redis = year.redis
    sizes = (redis.timelines_bytes, redis.tweets_bytes, redis.hot_users_bytes, redis.required_bytes)
    return (*(f"{_amount(size / GB)} GB" for size in sizes), f"{redis.nodes:,}")


def _redis_formulas(inputs: Inputs) -> tuple[str, ...]:
    redis = inputs.redis
    return (
        f"timelines = {redis.cached_users} of users × {redis.timeline_length} ids × {redis.timeline_entry}",
        f"tweets = tweets a day × {redis.tweets_kept} × {redis.tweet}; hot users × {redis.hot_user}",
        f"required = all three × {redis.replication} copies",
        f"nodes = required ÷ {redis.usable_per_node}, rounded down, + 1",
    )


def _database(year: Year) -> tuple[str, ...]:
    database = year.database
    sizes = (database.tweets_bytes, database.with_indexes_bytes, database.required_bytes)
    amounts = (f"{_amount(size / TB)} TB" for size in sizes)
    return (f"{year.tweets_per_day:,}", *amounts, f"{_amount(database.required_pb)} PB")


def _database_formulas(inputs: Inputs) -> tuple[str, ...]:
    database = inputs.database
    return (
        f"tweets = those of the last {database.tweets_kept}, each year at its own rate, × {database.tweet}",
        f"required = tweets × {database.index_factor:g} with indexes × {database.replication} copies",
    )


def _amount(number: float) -> str:
    """To four digits, from a thousand on to a tenth."""
    return f"{number:,.1f}" if number >= 999.95 else f"{number:#.4g}"


def _about_inputs(inputs: Inputs) -> Iterator[str]:
    growth = inputs.demand.growth_per_year
    yield f"Year 0 is today. Users, tweets a day and hot users grow by {growth} a year."
    yield "GB, TB and PB are 1024^3, 1024^4 and 1024^5 bytes."
    changed = list(_changed(inputs))
    yield "No file of inputs changes a default." if not changed else "Inputs other than the default:"
    yield from changed


def _changed(inputs: Inputs) -> Iterator[str]:
    usual = Inputs()
    for section in inputs.__struct_fields__:
        values, defaults = getattr(inputs, section), getattr(usual, section)
        for name in values.__struct_fields__:
            value, default = getattr(values, name), getattr(defaults, name)
            if value != default:
                yield f"  {section}.{name}: {value} (default {default})"
