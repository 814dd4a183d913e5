"""What every run of the matrix has to end with: the clean system, causes that the runbook has to find, each planted
defect, each defect of the harness.
"""

from dataclasses import dataclass

# What is red does not need the long baseline that a pass needs for its error bars, nor, unless it is about that, the
# way back to normal.
SHORTER = ("--set", "warm_up=3s", "--set", "baseline=8s")
NO_WAY_BACK = ("--set", "recovery=10s", "--set", "rto=5s")
# Nor do those that every test run makes need as much of what they are red about.
SHORT_PEAKS = ("--set", "third=22s", "--set", "peak_over=34s", "--set", "alerted=33s")
SHORT_FAULTS = ("--set", "each=5s", "--set", "dead_at=9s", "--set", "disturbed=15s")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: `experiment` with `options` ends with `exit_code`; `check`, if any, is among those that fail, and says
    `why` (a regular expression): a defect that is found for another reason is not found."""

    name: str
    experiment: str
    options: tuple[str, ...] = ()
    exit_code: int
    check: str = ""
    why: str = ""
    gate: bool = True  # part of every test run; the others are for the night (`make matrix`)
    runtimes: tuple[str, ...] = ("processes", "docker")

    @property
    def needs_a_calm_start(self) -> bool:
        """What has to pass, and what is compared with the baseline, cannot begin while another system starts."""
        return self.exit_code == 0 or self.check == "recovery"


def _clean(experiment: str, *, gate: bool = True) -> Cell:
    return Cell(name=experiment, experiment=experiment, exit_code=0, gate=gate)


def _in_containers(experiment: str) -> Cell:
    return Cell(name=experiment, experiment=experiment, exit_code=0, runtimes=("docker",))


def _defect(
    name: str,
    experiment: str,
    check: str,
    why: str,
    *,
    gate: bool = False,
    to_the_end: bool = False,
    more: tuple[str, ...] = (),
) -> Cell:
    options = (*SHORTER, *(() if to_the_end else NO_WAY_BACK), *more, "--defect", name)
    return Cell(name=name, experiment=experiment, options=options, exit_code=1, check=check, why=why, gate=gate)


def _in_full(name: str, experiment: str, check: str, why: str, *, more: tuple[str, ...] = ()) -> Cell:
    """What is broken shows only where caches are warm, or where posts wait: with the experiment as it is, but for
    `more`."""
    options = (*more, "--defect", name)
    return Cell(name=name, experiment=experiment, options=options, exit_code=1, check=check, why=why, gate=False)


def _regions_defect(
    name: str, experiment: str, check: str, why: str, *, recovery: str = "8s", baseline: str = "8s"
) -> Cell:
    """What is broken shows while regions are lost, or in the final reads; a region that is not back by then has none.
    So where one is lost and everything has to be looked for, `recovery` is long. The warm-up stays as it is: four cold
    regions are degraded at first."""
    options = ("--set", f"baseline={baseline}", "--set", f"recovery={recovery}", "--defect", name)
    return Cell(name=name, experiment=experiment, options=options, exit_code=1, check=check, why=why, gate=False)


def _harness_defect(name: str, experiment: str, exit_code: int, why: str) -> Cell:
    """Never a pass, and never a red that blames the system; `why` is what validity says."""
    shorter = SHORTER if experiment == STEADY else (*SHORTER, *SHORT_FAULTS, *NO_WAY_BACK)
    options = (*shorter, "--harness-defect", name)
    return Cell(name=name, experiment=experiment, options=options, exit_code=exit_code, check="validity", why=why)


LADDER = "slow_storage_climbs_the_ladder"
OVERLOAD = "overload_sheds_by_priority"
REDIS = "broken_redis"
STEADY = "steady_state"

SCALING = "scaling_with_the_load"
CAPACITY = "timeline_capacity"
BREAKERS = "breakers_open_and_close"
POOL = "pool_exhausted"
GIVEN_UP = "given_up"
HYSTERESIS = "hidden_capacity"
FAN_OUT = "a_celebrity_posts"
WARM = "warm_caches_hit"
FLUSHED = "a_flushed_redis"
TAKEN_AWAY = "nobody_sees_the_blocked"
STAMPEDE = "everybody_asks_for_the_same"

ERRORS = "errors_climb_the_ladder"
DIAGNOSED = ("a_slow_database", "a_silent_redis")
CAUSES = (
    "a_database_that_is_away",
    "everybody_logs_in",
    "a_leaking_replica",
    "everything_is_pushed",
    "more_posts_than_are_delivered",
    "a_worker_that_was_away",
    "more_calls_than_connections",
    "more_load_than_servers",
)
MINUTE = "posts_wait_a_minute"
FULL = "a_full_cache"
FORGETFUL = "a_forgetful_redis"

LOSING_US_EAST = "losing_us_east"
REGIONS = (
    "losing_europe",
    "writers_on_both_sides",
    "a_partial_partition",
    "a_slow_link",
    "a_flapping_region",
    "retried_elsewhere",
    "destroying_us_east",
    "coming_back_behind",
    "freezing_asia_pacific",
)

CLEAN = (
    *(_clean(experiment) for experiment in (OVERLOAD, LADDER, REDIS)),
    *(
        _clean(experiment, gate=False)
        for experiment in (STEADY, SCALING, CAPACITY, HYSTERESIS, FAN_OUT, BREAKERS, POOL, GIVEN_UP, "silent_replica")
    ),
    *(
        _clean(experiment, gate=False)
        for experiment in (
            ERRORS,
            WARM,
            FLUSHED,
            TAKEN_AWAY,
            STAMPEDE,
            *DIAGNOSED,
            *CAUSES,
            MINUTE,
            FULL,
            FORGETFUL,
        )
    ),
    *(_clean(experiment, gate=False) for experiment in (LOSING_US_EAST, *REGIONS)),
    *(_in_containers(experiment) for experiment in ("crashed_database", "lost_node", "starved_replica")),
)

DEFECTS = (
    _defect("never_leaves_a_level", LADDER, "degradation", "shown SURVIVAL; inputs .* demand NORMAL", to_the_end=True),
    _defect(
        "leaves_at_once",
        LADDER,
        "degradation",
        "expected SURVIVAL, shown (NORMAL|ADVISORY|WARNING|CRITICAL)",
        to_the_end=True,
    ),
    _defect("skips_warning", LADDER, "degradation", "expected WARNING, shown ADVISORY"),
    _defect("enters_levels_late", LADDER, "degradation", "expected ADVISORY, shown NORMAL"),
    _defect("ignores_cpu", OVERLOAD, "degradation", "expected (ADVISORY|WARNING), shown NORMAL"),
    _defect("ignores_errors", ERRORS, "degradation", "expected (CRITICAL|SURVIVAL), shown"),
    _defect("search_stays_on_at_critical", LADDER, "degradation", "search has to be off at CRITICAL"),
    _defect("flag_says_off_but_feature_runs", LADDER, "degradation", "has to be off at WARNING", gate=True),
    _defect("no_banner", LADDER, "degradation", "no banner at ADVISORY"),
    _defect("alerts_already_at_advisory", LADDER, "degradation", "alert on at ADVISORY"),
    _defect("no_alert_at_warning", LADDER, "degradation", "alert off at WARNING"),
    _defect("no_level_log", LADDER, "degradation", "missing or wrong log line"),
    _defect("level_not_pushed", LADDER, "degradation", "answers at a level that was not in force"),
    _defect("sheds_priority_1", OVERLOAD, "shedding", "priority 1 shed: expected 0"),
    _defect(
        "sheds_p3_before_p4",
        OVERLOAD,
        "shedding",
        "priority 3 shed whenever overloaded",
        gate=True,
        more=SHORT_PEAKS,
    ),
    _defect("sheds_at_0_9x", OVERLOAD, "shedding", "priority 4 shed"),
    _defect("sheds_by_the_formula", OVERLOAD, "shedding", "priority 2 shed whenever overloaded"),
    _defect("sheds_after_the_handler", OVERLOAD, "shedding", "refusal p99"),
    _defect("no_emergency_shedding", ERRORS, "shedding", "priority [234] shed"),
    _defect("read_only_is_shedding", ERRORS, "shedding", "priority 1"),
    _defect("neither_sheds_nor_drops", HYSTERESIS, "recovery", "goodput was 0 % of the offered load", to_the_end=True),
    _defect("counts_shed_as_errors", OVERLOAD, "degradation", "another error_ratio than clients saw"),
    _defect("retries_without_budget", REDIS, "retries", "redis attempts per call", gate=True, more=SHORT_FAULTS),
    _defect("does_not_come_back_after_redis", REDIS, "recovery", "answered from a fallback", to_the_end=True),
    _defect("errors_instead_of_fallback", REDIS, "slo", "error ratio: expected at most 1 %"),
    _defect("breaker_never_half_opens", BREAKERS, "breakers", "closed while it lasted"),
    _defect("probes_in_step", BREAKERS, "breakers", "probes sent together"),
    _defect("leaks_connections", BREAKERS, "breakers", "connections in use without a request", to_the_end=True),
    _defect("no_pool_shedding", POOL, "slo", "goodput ratio within 2 s: expected at least 95 %"),
    _defect("works_for_nobody", GIVEN_UP, "breakers", "worked on for more than 1.5 s"),
)

CACHES_DEFECTS = (
    _in_full("viewer_filter_before_the_cache", TAKEN_AWAY, "caching", "block: longest"),
    _in_full("keeps_the_timeline_on_unfollow", TAKEN_AWAY, "caching", "unfollow: longest"),
    _in_full("keeps_the_profile_on_edit", TAKEN_AWAY, "caching", "edit_profile: longest"),
    _in_full("edge_forgets_at_once", WARM, "caching", "hit ratio of edge"),
    _in_full("pictures_are_kept_by_nobody", WARM, "caching", "hit ratio of edge"),
    _in_full("keeps_the_biography_on_erasure", TAKEN_AWAY, "caching", "erase: longest"),
    _in_full("keys_instead_of_scan", TAKEN_AWAY, "caching", "KEYS asked of a cache"),
    _in_full(
        "keeps_home_in_process",
        WARM,
        "caching",
        "home answered from",
        more=("--set", "warm_up=5s", "--set", "baseline=15s"),
    ),
    _in_full("no_single_flight", STAMPEDE, "caching", "builds of one key at once"),
    _in_full("edge_keeps_private_answers", TAKEN_AWAY, "caching", "(block|mute): longest"),
)

FAN_OUT_DEFECTS = (
    _in_full("pushes_celebrities", FAN_OUT, "fan_out", "missed for p95"),
    _in_full("first_come_first_served", FAN_OUT, "fan_out", "missed for p95"),
    _in_full("no_emergency_limit", FAN_OUT, "fan_out", "lag|drained after"),
    _in_full("loses_dead_letters", FAN_OUT, "fan_out", "posts"),
)

OPERATIONS_DEFECTS = (
    _defect("alerts_fire_late", LADDER, "alerts", "does not fire after", to_the_end=True),
    _defect("alerts_never_resolve", LADDER, "alerts", "still fires after", to_the_end=True),
    _defect("shrinks_at_once", SCALING, "scaling", "predicted", to_the_end=True),
    _defect("grows_without_limit", SCALING, "scaling", "predicted", to_the_end=True),
    # Pods go after twenty quiet seconds.
    _defect(
        "fewer_pods_than_allowed",
        SCALING,
        "scaling",
        "predicted",
        to_the_end=True,
        more=("--set", "usual=40/s", "--set", "baseline=35s", "--set", "recovery=10s"),
    ),
    _defect("rounds_pods_down", SCALING, "scaling", "predicted", to_the_end=True),
    _defect("keeps_the_last_part_of_a_pod", SCALING, "scaling", "predicted", to_the_end=True),
    _defect(
        "scales_by_admitted_load", SCALING, "scaling", "ready capacity", to_the_end=True, more=("--set", "peak=320/s")
    ),
)

REGIONS_DEFECTS = (
    _regions_defect("drops_the_token", "a_slow_link", "consistency", "read your writes"),
    _regions_defect("claims_to_have_caught_up", "a_slow_link", "consistency", "read your writes"),
    _regions_defect("beats_ahead_of_time", "a_slow_link", "consistency", "read your writes"),
    _regions_defect("forgets_deletes_during_a_cut", "writers_on_both_sides", "consistency", "undeleted|resurrected"),
    _regions_defect("likes_revive_deleted_posts", "writers_on_both_sides", "consistency", "undeleted|resurrected"),
    _regions_defect("counts_likes_in_one_row", "writers_on_both_sides", "consistency", "counter"),
    _regions_defect("no_dedupe_trigger", "retried_elsewhere", "consistency", "links that stand still", recovery="50s"),
    _regions_defect("keeps_both_posts_of_a_key", "retried_elsewhere", "consistency", "duplicated", recovery="50s"),
    _regions_defect("forgets_idempotency_keys", "retried_elsewhere", "consistency", "duplicated", recovery="50s"),
    _regions_defect("last_arrival_wins", "retried_elsewhere", "consistency", "differed in .*follows", recovery="50s"),
    _regions_defect("believes_a_single_peer", "a_partial_partition", "routing", "times that a region lost users"),
    _regions_defect("reads_where_it_was_written", "a_partial_partition", "routing", "answered elsewhere"),
    _regions_defect("forwards_twice", "a_partial_partition", "retries", "us-east.gateway attempts per call"),
    _regions_defect("forwards_without_deadline", "a_partial_partition", "slo", "errors later than 3s"),
    _regions_defect("writes_where_the_user_is", LOSING_US_EAST, "failover", "writes by more than one region"),
    _regions_defect("wrong_stand_in", LOSING_US_EAST, "failover", "writes by more than one region"),
    # The load is the same each time; with this baseline four posts are made in the second before the region is lost.
    _regions_defect("acknowledges_before_disk", LOSING_US_EAST, "consistency", "lost", recovery="58s", baseline="16s"),
    _regions_defect("goes_on_routing_to_the_dead", LOSING_US_EAST, "failover", "recovery time"),
    _regions_defect("sends_users_the_wrong_way", LOSING_US_EAST, "failover", "reads answered by another region"),
    _regions_defect("no_hold_down", "a_flapping_region", "failover", "fail-overs in the run"),
    _regions_defect("comes_back_empty", "destroying_us_east", "consistency", "lost", recovery="65s"),
    _regions_defect("hides_its_lag", "coming_back_behind", "failover", "surely behind when its users returned"),
    _regions_defect(
        "comes_back_without_catching_up", "coming_back_behind", "failover", "surely behind when its users returned"
    ),
    _regions_defect("reads_stale_after_coming_back", "coming_back_behind", "consistency", "read your writes"),
)

PLANTED = (*DEFECTS, *CACHES_DEFECTS, *FAN_OUT_DEFECTS, *OPERATIONS_DEFECTS, *REGIONS_DEFECTS)  # in the system

HARNESS_DEFECTS = (
    _harness_defect("toxic_not_applied", REDIS, 3, "reset-1: shown to bite"),
    _harness_defect("fault_not_reverted", REDIS, 6, "could not be shown to be reverted"),
    _harness_defect("slow_generator", STEADY, 3, "the generator was late"),
    _harness_defect("scrape_hole", STEADY, 3, "longest hole in the scrapes"),
    _harness_defect("load_shard_killed", STEADY, 3, "its writer died"),
)
