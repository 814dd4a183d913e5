"""Whether a number is the sum of some of many amounts: what a counter may show when the fate of many is unknown.

Trying every choice takes 2ⁿ steps. Sums that can be made are kept as the bits of one integer instead, and an amount
shifts them (Bellman's dynamic programme for subset sums), which alone is still the sum of all for each amount. What
keeps it short, and exact all the same:

* A sum can be made if what it leaves over can: the smaller of the two is looked for, and larger amounts are of no use.
* From the smallest amount on, the bits in the middle soon are all set; an amount no wider than that only widens it.
  Once that holds of all that are still to come, everything but the two ends is known to be a sum.

Amounts that never fill the middle (powers of three; thousands of different tens beside two ones) may be too many to
tell. Wherever there is an answer it is certain.
"""

import math
from collections.abc import Sequence
from functools import reduce
from itertools import accumulate

FEW = 12  # every choice of so few is tried, however large they are
# Gone through for one question, all amounts together: 32 MiB a few times over, some tenths of a second.
MOST_BITS = 2**28


def is_sum_of_some(amounts: Sequence[float], wanted: float, *, most_bits: int = MOST_BITS) -> bool | None:
    """Whether some choice of the amounts, or none of them, adds up to `wanted` exactly; None: too many to tell."""
    parts = [number.as_integer_ratio() for number in (wanted, *(amount for amount in amounts if amount))]
    unit = max(below for _, below in parts)  # they are powers of two
    target, *whole = (above * (unit // below) for above, below in parts)
    target -= sum(amount for amount in whole if amount < 0)  # to leave a negative one out is to add it back
    amounts_left = sorted(abs(amount) for amount in whole)
    step = math.gcd(*amounts_left)
    if step == 0 or target % step:
        return target == 0
    return _is_sum([amount // step for amount in amounts_left], target // step, most_bits)


def _is_sum(amounts: list[int], wanted: int, most_bits: int) -> bool | None:
    """Of positive amounts, ascending."""
    amounts, wanted = _without_useless(amounts, wanted)
    if wanted < 0:
        return False
    if len(amounts) <= FEW:
        return wanted in reduce(lambda sums, amount: sums | {known + amount for known in sums}, amounts, {0})
    sums, so_far, gone_through = 1, 0, 0
    for amount, widest in zip(amounts, _widest_to_come(amounts), strict=True):
        middle = so_far // 2
        end = ((1 << middle + 1) - 1 & ~sums).bit_length() if middle <= wanted else middle + 1  # of the lower end
        if sums >> wanted & 1 or (end <= wanted and so_far + 1 - 2 * end >= widest):
            return True
        so_far += amount
        gone_through += min(so_far, wanted)
        if gone_through > most_bits:
            return None
        sums |= sums << amount
        if so_far > wanted:
            sums &= (1 << wanted + 1) - 1
    return bool(sums >> wanted & 1)


def _without_useless(amounts: list[int], wanted: int) -> tuple[list[int], int]:
    """The smaller of what is wanted and what would be left over, and the amounts that are not larger than that."""
    while True:
        wanted = min(wanted, sum(amounts) - wanted)
        useful = [amount for amount in amounts if amount <= wanted]
        if len(useful) == len(amounts):
            return amounts, wanted
        amounts = useful


def _widest_to_come(amounts: list[int]) -> list[int]:
    """By amount: how wide a stretch of sums has to be so that it and all that follow widen it without a gap."""
    backwards = accumulate(reversed(amounts), lambda widest, amount: max(amount, widest - amount))
    return list(backwards)[::-1]
