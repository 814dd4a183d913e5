"""How an answer ended, as the metrics and the controller count it."""

from enum import StrEnum


class Outcome(StrEnum):
    """Client errors (4xx) are `ok`: the system did its work. Shed and disabled answers are not errors."""

    OK = "ok"
    ERROR = "error"
    SHED = "shed"
    DISABLED = "disabled"


# Of what was tried at all: latencies and the share of errors are those of such answers.
HANDLED = (Outcome.OK, Outcome.ERROR)
