"""Where an alert did not follow its rule, given the input that its controller showed at the same moment.

The rule: it fires once the input has been beyond the bound for `fires_after` without a break, and goes on until it has
not been for `resolves_after`. A scrape sees every evaluation or nearly, at another moment than it was made at; so what
is counted is only what is off by more than `SLACK_S`. No judgement of whether the input is true.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.verify.alerts.signal import Signal

SLACK_S = 2.0  # an evaluation each second, a scrape each half second, and either may be late by a quarter of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    at_s: float
    service: str
    alert: str
    what: str

    @property
    def sentence(self) -> str:
        return f"{self.alert} of {self.service} {self.what}"


def breaches(signal: Signal) -> list[Breach]:
    """At most one for each stretch of the input, the first one."""
    return [breach for piece in signal.pieces() for breach in _breaches(piece)]


def _breaches(piece: Signal) -> Iterator[Breach]:
    promise = piece.promise
    since_s, before_s = piece.at_s[0], 0.0  # since when the input is as it is, and how long it was otherwise before
    known_from_start, told = True, False  # whether the stretch may be longer than is seen; whether it has its breach
    for n, (at_s, beyond, firing) in enumerate(zip(piece.at_s, piece.beyond, piece.firing, strict=True)):
        if n and beyond != piece.beyond[n - 1]:
            before_s = float("inf") if known_from_start else at_s - since_s
            since_s, known_from_start, told = at_s, False, False
        held_s = at_s - since_s
        began = n > 0 and firing and not piece.firing[n - 1]
        ended = n > 0 and not firing and piece.firing[n - 1]
        longest_s = float("inf") if known_from_start else held_s + SLACK_S
        what = ""
        if beyond and not firing and held_s > promise.fires_after + SLACK_S:
            what = f"does not fire after {held_s:.1f} s beyond its bound"
        elif not beyond and firing and held_s > promise.resolves_after + SLACK_S:
            what = f"still fires after {held_s:.1f} s within its bound"
        elif began and beyond and longest_s < promise.fires_after:
            what = f"fired after {held_s:.1f} s beyond its bound, and not {promise.fires_after}"
        elif began and not beyond and (held_s > SLACK_S or before_s + SLACK_S < promise.fires_after):
            what = "fired while its input was within the bound"
        elif ended and beyond and held_s > SLACK_S:
            what = "stopped firing while its input was beyond the bound"
        elif ended and not beyond and longest_s < promise.resolves_after:
            what = f"resolved after {held_s:.1f} s within its bound, and not {promise.resolves_after}"
        if what and not told:
            told = True
            yield Breach(at_s=float(at_s), service=piece.service, alert=promise.alert, what=what)
