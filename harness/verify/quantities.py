"""Quantities as people read them: three significant digits, one unit, no powers of ten, and no rounding that changes
what is meant. Sentences of verdicts and all formats of a report say them so.
"""

import math
import re
from decimal import ROUND_DOWN, Decimal

NOTHING = "–"
MOST_DIGITS = 9  # a value that reads as its bound even then is at it
ALMOST_ALL = 0.99  # from here on what matters of a share is how much is missing


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, thousands separated, never in powers of ten, and 0 only where it is."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    text = f"{rounded:,.{max(0, places)}f}" if abs(rounded) < 10**digits else f"{value:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ratio(value: float | None, digits: int = 3) -> str:
    """In percent; close to 1 as many digits as tell how much is missing, so that 100 % is all of it."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{_almost_all(value, digits) if ALMOST_ALL < value < 1 else number(value * 100, digits)} %"


def _almost_all(share: float, digits: int) -> str:
    """Percent, cut off after one significant digit fewer of what is missing: `99.46`, `99.9996`."""
    percent = Decimal(repr(float(share))) * 100
    places = digits - 2 - (100 - percent).adjusted()
    return str(percent.quantize(Decimal(1).scaleb(-places), ROUND_DOWN)).rstrip("0").rstrip(".")


def seconds(value: float | None, digits: int = 3) -> str:
    """`0.0312` → `31.2 ms`; `73.25` → `73.2 s`; infinite: there was no answer."""
    if value == math.inf:
        return "no answer"
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{number(value * 1000, digits)} ms" if 0 < abs(value) < 0.9995 else f"{number(value, digits)} s"


def say(value: float | None, unit: str, digits: int = 3) -> str:
    """A value in a check's own unit; seconds and ratios in the form people say them."""
    match unit:
        case "s":
            return seconds(value, digits)
        case "ratio":
            return ratio(value, digits)
        case _:
            text = number(value, digits)
            return f"{text} {unit}" if unit and text != NOTHING else text


def unlike(value: float, unit: str, accept: str) -> str:
    """A value beside the words for what is accepted: as many digits as it takes to tell it from the bound in them, so
    that 1.002 s is not measured as 1 s where at most 1 s is accepted."""
    said = say(value, unit)
    longer = (say(value, unit, digits) for digits in range(3, MOST_DIGITS + 1))
    return next((text for text in longer if not _stands_in(accept, text)), said)


def _stands_in(accept: str, text: str) -> bool:
    """Whether the words name just this quantity; `1s` and `1 s` are the same."""
    whole = rf"(?<![\d.,]){re.escape(text.replace(' ', ''))}(?!\d|[.,]\d)"
    return re.search(whole, accept.replace(" ", "")) is not None
