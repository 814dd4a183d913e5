"""What every run of the matrix has to end with: the clean system, each planted defect, each defect of the harness."""

from dataclasses import dataclass

# What is red does not need the long baseline that a pass needs for its error bars.
SHORTER = ("--set", "warm_up=3s", "--set", "baseline=8s")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: `experiment` with `options` ends with `exit_code`; `check`, if any, is among those that fail."""

    name: str
    experiment: str
    options: tuple[str, ...] = ()
    exit_code: int
    check: str = ""
    gate: bool = True  # part of every test run; the others are for the night (`make matrix`)


def _clean(experiment: str) -> Cell:
    return Cell(name=experiment, experiment=experiment, exit_code=0)


def _defect(name: str, experiment: str, check: str, *, gate: bool = False) -> Cell:
    options = (*SHORTER, "--defect", name)
    return Cell(name=name, experiment=experiment, options=options, exit_code=1, check=check, gate=gate)


def _harness_defect(name: str, experiment: str, exit_code: int) -> Cell:
    """Never a pass, and never a red that blames the system."""
    return Cell(name=name, experiment=experiment, options=(*SHORTER, "--harness-defect", name), exit_code=exit_code)


LADDER = "slow_storage_climbs_the_ladder"
OVERLOAD = "overload_sheds_by_priority"
REDIS = "broken_redis"
STEADY = "steady_state"

CLEAN = tuple(_clean(experiment) for experiment in (OVERLOAD, LADDER, REDIS, STEADY))

DEFECTS = (
    _defect("never_leaves_a_level", LADDER, "degradation"),
    _defect("leaves_at_once", LADDER, "degradation"),
    _defect("skips_warning", LADDER, "degradation"),
    _defect("search_stays_on_at_critical", LADDER, "degradation"),
    _defect("flag_says_off_but_feature_runs", LADDER, "degradation", gate=True),
    _defect("no_banner", LADDER, "degradation"),
    _defect("alerts_already_at_advisory", LADDER, "degradation", gate=True),
    _defect("no_alert_at_warning", LADDER, "degradation"),
    _defect("no_level_log", LADDER, "degradation"),
    _defect("level_not_pushed", LADDER, "degradation"),
    _defect("sheds_priority_1", OVERLOAD, "shedding"),
    _defect("sheds_p3_before_p4", OVERLOAD, "shedding", gate=True),
    _defect("sheds_at_0_9x", OVERLOAD, "shedding"),
    _defect("sheds_by_the_formula", OVERLOAD, "shedding"),
    _defect("sheds_after_the_handler", OVERLOAD, "shedding"),
    _defect("counts_shed_as_errors", OVERLOAD, "degradation", gate=True),
    _defect("retries_without_budget", REDIS, "retries", gate=True),
    _defect("does_not_come_back_after_redis", REDIS, "recovery", gate=True),
    _defect("errors_instead_of_fallback", REDIS, "slo", gate=True),
)

HARNESS_DEFECTS = (
    _harness_defect("toxic_not_applied", REDIS, 3),
    _harness_defect("fault_not_reverted", REDIS, 6),
    _harness_defect("slow_generator", STEADY, 3),
    _harness_defect("scrape_hole", STEADY, 3),
    _harness_defect("load_shard_killed", STEADY, 3),
)
