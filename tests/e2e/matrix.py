"""Which experiment shows each planted defect, and which check has to say so."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Started with `defect`, `experiment` has to be red, and `check` has to be among the checks that are."""

    defect: str
    experiment: str
    check: str


LADDER = "slow_storage_climbs_the_ladder"
OVERLOAD = "overload_sheds_by_priority"
REDIS = "broken_redis"

DEFECTS = (
    Cell(defect="never_leaves_a_level", experiment=LADDER, check="degradation"),
    Cell(defect="leaves_at_once", experiment=LADDER, check="degradation"),
    Cell(defect="skips_warning", experiment=LADDER, check="degradation"),
    Cell(defect="search_stays_on_at_critical", experiment=LADDER, check="degradation"),
    Cell(defect="flag_says_off_but_feature_runs", experiment=LADDER, check="degradation"),
    Cell(defect="no_banner", experiment=LADDER, check="degradation"),
    Cell(defect="alerts_already_at_advisory", experiment=LADDER, check="degradation"),
    Cell(defect="no_alert_at_warning", experiment=LADDER, check="degradation"),
    Cell(defect="no_level_log", experiment=LADDER, check="degradation"),
    Cell(defect="level_not_pushed", experiment=LADDER, check="degradation"),
    Cell(defect="sheds_priority_1", experiment=OVERLOAD, check="shedding"),
    Cell(defect="sheds_p3_before_p4", experiment=OVERLOAD, check="shedding"),
    Cell(defect="sheds_at_0_9x", experiment=OVERLOAD, check="shedding"),
    Cell(defect="sheds_by_the_formula", experiment=OVERLOAD, check="shedding"),
    Cell(defect="sheds_after_the_handler", experiment=OVERLOAD, check="shedding"),
    Cell(defect="counts_shed_as_errors", experiment=OVERLOAD, check="degradation"),
    Cell(defect="retries_without_budget", experiment=REDIS, check="retries"),
    Cell(defect="does_not_come_back_after_redis", experiment=REDIS, check="recovery"),
    Cell(defect="errors_instead_of_fallback", experiment=REDIS, check="slo"),
)

# Defects of the harness itself: never a pass, and never a red that blames the system.
HARNESS_DEFECTS = (
    ("toxic_not_applied", REDIS, 3),
    ("fault_not_reverted", REDIS, 6),
    ("slow_generator", "steady_state", 3),
    ("scrape_hole", "steady_state", 3),
    ("load_shard_killed", "steady_state", 3),
)
