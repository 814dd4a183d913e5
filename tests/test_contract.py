"""The two sides meet in names, and the contract has them all."""

import re
from pathlib import Path

import msgspec

from harness.target.metrics import Metrics
from harness.verify.breakers import history
from harness.verify.failover import routes

DOCS = Path(__file__).parents[1] / "docs"
TEXT = "".join((DOCS / name).read_text() for name in ("contract.md", "scaling.md"))


def test_the_contract_has_every_metric_that_checks_read() -> None:
    read = {name.removesuffix("_bucket") for name in msgspec.structs.asdict(Metrics()).values()}

    assert {name for name in read if not re.search(rf"`{name}[`{{]", TEXT)} == set()


def test_the_contract_has_every_line_of_a_log_that_checks_read() -> None:
    read = {history.CHANGED, routes.CHANGED, routes.DECIDED, "level_changed", "alert_fired", "alert_resolved"}

    assert {event for event in read if f"`{event}`" not in TEXT} == set()
