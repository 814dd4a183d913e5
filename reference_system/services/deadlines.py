"""How long an answer is of use: what whoever asks says in `X-Deadline`, in milliseconds left, and never more than ours.

Left and not absolute, because clocks of different machines differ by more than what is left of a second. Each hop says
what is left when it sends: so what goes on from here has only ever less time.
"""

HEADER = "x-deadline"
LONGEST_DIGITS = 9  # more are no honest deadline
MS_PER_S = 1000


def patience_s(said: str | None, own_s: float) -> float:
    """What is no number of milliseconds counts as nothing said."""
    if said is None or not (said.isascii() and said.isdigit() and len(said) <= LONGEST_DIGITS):
        return own_s
    return min(own_s, int(said) / MS_PER_S)


def written(left_s: float) -> str:
    """Rounded down: the next hop must not think that there is more."""
    return str(max(0, int(left_s * MS_PER_S)))
