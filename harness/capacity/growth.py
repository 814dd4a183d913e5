"""Numbers as people wrote them, and how much they have grown in a year to come.

Plans calculate with fractions: with floating point, 100/s and 10 % of headroom on servers of 10/s would be 12 servers
instead of 11, because 100 times 1.1 is a hair above 110.
"""

from fractions import Fraction

from harness.capacity.inputs import Demand


def exact(number: float) -> Fraction:
    """The decimal number that was meant: a whole one as it is, another one to twelve digits, so 0.1 is a tenth."""
    return Fraction(int(number)) if float(number).is_integer() else Fraction(f"{number:.12g}")


def grown(count: float, demand: Demand, *, year: int) -> Fraction:
    """`count` × (1 + growth)^year. Before today, in year 0, nothing is known to have been smaller."""
    return exact(count) * (1 + exact(demand.growth_per_year)) ** max(year, 0)
