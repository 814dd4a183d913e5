"""Quantities with their units: 250ms, 40/s, 0.1%, 64KB/s, 200M to numbers and back. The only parser of them.

In files a value carries its unit, in code the name does. Each type is a `float` in one base unit, so arithmetic needs
no unwrapping; `msgspec` reads and writes them through `dec_hook` and `enc_hook`, and what is written reads back equal.
"""

import math
import re
from typing import Any, ClassVar, Self

_QUANTITY = re.compile(r"^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s.]\S*)?\s*$")


class Quantity(float):
    """A finite number >= 0 in `base_unit`; `units` maps every accepted suffix to its size in base units."""

    base_unit: ClassVar[str]
    units: ClassVar[dict[str, float]]
    example: ClassVar[str]

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a number with its unit; raise ValueError with what was expected."""
        if not isinstance(text, str):
            raise ValueError(f"{text!r} has no unit: write {cls._suggestion(text)}")
        match = _QUANTITY.match(text)
        if match is None:
            raise ValueError(f'"{text}" is not {cls._noun()}: write it like {cls.example}')
        number, unit = match.group(1), match.group(2) or ""
        if not unit and unit not in cls.units:
            raise ValueError(f'"{text}" has no unit: write {cls._suggestion(number)}')
        if unit not in cls.units:
            known = ", ".join(filter(None, cls.units))
            raise ValueError(f'"{text}": "{unit}" is not a unit of {cls._noun()} (known: {known})')
        value = float(number) * cls.units[unit]
        if not math.isfinite(value) or value < 0:
            raise ValueError(f'"{text}" must be finite and not negative')
        return cls(value)

    @classmethod
    def _noun(cls) -> str:
        return f"a {cls.__name__.lower()}"

    @classmethod
    def _suggestion(cls, number: object) -> str:
        return f'"{number}{cls.base_unit}"'

    def __str__(self) -> str:
        """The shortest text that reads back as the very same number."""
        return self._in(self.base_unit)

    def _in(self, unit: str) -> str:
        number = self / self.units[unit]
        neighbours = (math.nextafter(number, math.inf), math.nextafter(number, 0.0))
        candidates = [f"{number:.{digits}g}{unit}" for digits in (6, 12, 17)] + [
            f"{near!r}{unit}" for near in neighbours
        ]
        return next(
            (text for text in candidates if self.parse(text) == self),
            f"{self / self.units[self.base_unit]!r}{self.base_unit}",
        )

    def _in_largest(self) -> str:
        """In the largest unit that makes it a whole number, else as any other: 7d, 3y, 1500k."""
        fitting = [unit for unit, size in self.units.items() if self >= size and self % size == 0]
        return self._in(max(fitting, key=lambda unit: self.units[unit], default=self.base_unit))


class Seconds(Quantity):
    base_unit = "s"
    units: ClassVar = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
    example = '"250ms", "30s" or "5m"'

    @classmethod
    def _noun(cls) -> str:
        return "a duration"

    def __str__(self) -> str:
        return self._in("ms" if 0 < self < 1 else "s")


class PerSecond(Quantity):
    base_unit = "/s"
    units: ClassVar = {"/s": 1.0, "/m": 1 / 60, "/min": 1 / 60, "/h": 1 / 3600}
    example = '"40/s" or "600/min"'

    @classmethod
    def _noun(cls) -> str:
        return "a rate"


class Ratio(Quantity):
    base_unit = "%"
    units: ClassVar = {"%": 0.01}
    example = '"0.1%" or "50%"'

    @classmethod
    def _noun(cls) -> str:
        return "a ratio"


class BytesPerSecond(Quantity):
    base_unit = "B/s"
    units: ClassVar = {"B/s": 1.0, "KB/s": 1e3, "MB/s": 1e6}
    example = '"64KB/s" or "2MB/s"'

    @classmethod
    def _noun(cls) -> str:
        return "a bandwidth"


class Days(Quantity):
    """For how long something is kept; a year has 365 days."""

    base_unit = "d"
    units: ClassVar = {"d": 1.0, "y": 365.0}
    example = '"7d" or "3y"'

    @classmethod
    def _noun(cls) -> str:
        return "a number of days"

    def __str__(self) -> str:
        return self._in_largest()


class Bytes(Quantity):
    """A size in memory or on disk; its units are powers of 1024, unlike those of a bandwidth."""

    base_unit = "B"
    units: ClassVar = {unit: 1024.0**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB", "PB"))}
    example = '"500B" or "200GB"'

    @classmethod
    def _noun(cls) -> str:
        return "a size"

    def __str__(self) -> str:
        return self._in_largest()


class Count(Quantity):
    """A whole number of users, tweets …; the only quantity whose unit may be left out."""

    base_unit = ""
    units: ClassVar = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
    example = '1500 or "200M"'

    @classmethod
    def parse(cls, text: object) -> Self:
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ValueError(f"{text!r} is not a count: write it like {cls.example}")
        count = float(f"{super().parse(str(text)):.15g}")  # 1.001 times 1000 is a hair below 1001
        if not count.is_integer():
            raise ValueError(f'"{text}" is not a whole number')
        return cls(count)

    def __str__(self) -> str:
        return self._in_largest()


def dec_hook(wanted: type, value: Any) -> Any:
    """msgspec's door in: called for every field whose type is one of the quantities."""
    if issubclass(wanted, Quantity):
        return wanted.parse(value)
    raise NotImplementedError(f"no reader for {wanted}")


def enc_hook(value: Any) -> Any:
    """msgspec's door out: the inverse of `dec_hook`."""
    if isinstance(value, Quantity):
        return str(value)
    raise NotImplementedError(f"no writer for {type(value)}")
