"""The errors a person can meet, and the exit code each one ends with.

Drawn once so that the command line can turn any of them into a sentence and a code without a table of its own.
Our own mistakes are `assert`s, not members of this tree.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """How `gameday` ends; fixed, because pipelines branch on it."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    STOPPED = 4
    BROKEN = 5
    UNCLEAN = 6


class GamedayError(Exception):
    """What went wrong, where, what was expected and what to do, in one message."""

    exit_code = ExitCode.BROKEN


class ExperimentError(GamedayError):
    """A file or an argument that a person wrote is wrong; nothing was started."""

    exit_code = ExitCode.USAGE


class TargetError(GamedayError):
    """The system under test could not be started, reached or driven."""


class LoadError(GamedayError):
    """The load generator could not be started or died."""


class FaultError(GamedayError):
    """A fault could not be injected as asked; whatever was done has been undone."""


class StoppedError(GamedayError):
    """The operator said so before there was a record to judge; nothing is left running."""

    exit_code = ExitCode.STOPPED


class RecordError(GamedayError):
    """A run's record is missing, damaged or of an unknown format version."""

    exit_code = ExitCode.USAGE


class UncleanError(GamedayError):
    """A fault could not be shown to be reverted; the message holds the commands that fix it.

    They may hold secrets of the target (a service is started with its environment): who writes it down for others to
    read takes the `sentence`.
    """

    exit_code = ExitCode.UNCLEAN

    def __init__(self, sentence: str, *, by_hand: str = "") -> None:
        super().__init__(f"{sentence}\nOr by hand:\n{by_hand}" if by_hand else sentence)
        self.sentence = sentence
        self.by_hand = by_hand

    @classmethod
    def of(cls, errors: Iterable[BaseException]) -> "UncleanError":
        """All of them in one."""
        unclean = [error if isinstance(error, UncleanError) else UncleanError(str(error)) for error in errors]
        commands = "\n".join(error.by_hand for error in unclean if error.by_hand)
        return cls("\n".join(error.sentence for error in unclean), by_hand=commands)
