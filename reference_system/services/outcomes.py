"""How an answer ended, as the metrics and the controller count it."""

from enum import StrEnum


class Outcome(StrEnum):
    """Client errors (4xx) are `ok`: the system did its work. Shed and disabled answers are not errors."""

    OK = "ok"
    ERROR = "error"
    SHED = "shed"
    DISABLED = "disabled"
