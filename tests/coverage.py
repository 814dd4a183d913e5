"""Writes docs/coverage.md: which experiment shows what of the specification, and which planted defects prove it.

    python -m tests.coverage > docs/coverage.md

The rows are docs/coverage.yaml. Whatever they name has to exist, and whatever exists has to be named: an experiment or
a planted defect that shows nothing of the specification would be for nothing.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.loader import load_experiment
from tests.e2e.matrix import PLANTED, Cell

PROJECT = Path(__file__).parents[1]
ROWS = PROJECT / "docs" / "coverage.yaml"
PAGE = PROJECT / "docs" / "coverage.md"
FOUND_IN = {cell.name: cell for cell in PLANTED}

HEAD = """\
# What is shown, and by what

Each row is something that the specification asks for. An experiment *shows* it: it ends red where the system under test
does not do it. A planted defect *proves* that: with it in place the experiment is red, by the check in brackets. A row
with neither is shown by no run; where tests look at it, they are named.

Written by `python -m tests.coverage` from `docs/coverage.yaml`, `experiments/` and `tests/e2e/matrix.py`.
"""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is asked for. Experiments in which one of `defects` is found are shown too."""

    what: str
    experiments: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the specification."""

    section: str
    rows: tuple[Row, ...]


def read(path: Path = ROWS) -> tuple[Section, ...]:
    return msgspec.yaml.decode(path.read_bytes(), type=tuple[Section, ...])


def known_experiments() -> dict[str, str]:
    """Name → title of every experiment in the repository."""
    return {path.stem: load_experiment(path).experiment.title for path in sorted(PROJECT.glob("experiments/*.yaml"))}


def mistakes(sections: Sequence[Section], experiments: Sequence[str], planted: Sequence[str]) -> list[str]:
    """What is named and does not exist, and what exists and is not named."""
    rows = [row for section in sections for row in section.rows]
    found = []
    for kind, known, named in (
        ("experiment", set(experiments), {name for row in rows for name in row.experiments}),
        ("planted defect", set(planted), {name for row in rows for name in row.defects}),
    ):
        found += [f'"{name}" is no {kind}.' for name in sorted(named - known)]
        found += [f'The {kind} "{name}" is in no row.' for name in sorted(known - named - _by_defects(rows, planted))]
    found += [f"{name}: there is no such file." for row in rows for name in row.tests if not (PROJECT / name).exists()]
    return found


def _by_defects(rows: Sequence[Row], planted: Sequence[str]) -> set[str]:
    """Experiments that rows have by their defects."""
    return {FOUND_IN[name].experiment for row in rows for name in row.defects if name in planted}


def page(sections: Sequence[Section]) -> str:
    titles = known_experiments()
    rows = [row for section in sections for row in section.rows]
    shown = [row for row in rows if _experiments(row)]
    proved = sum(bool(row.defects) for row in shown)
    count = f"Of {len(rows)} rows {len(shown)} are shown by an experiment; of these {proved} are proved by a defect."
    tables = [line for section in sections for line in _table(section)]
    listed = [f"- `{name}`: {title}" for name, title in titles.items()]
    return "\n".join([HEAD, count, *tables, "\n## The experiments\n", *listed]) + "\n"


def _table(section: Section) -> Iterator[str]:
    yield f"\n## {section.section}\n"
    yield "| what has to hold | shown by | proved by | tests |"
    yield "|---|---|---|---|"
    for row in section.rows:
        shown = ", ".join(f"`{name}`" for name in _experiments(row)) or "**no experiment**"
        proved = ", ".join(_planted(FOUND_IN[name]) for name in row.defects) or "–"
        tests = ", ".join(f"`{name}`" for name in row.tests)
        yield f"| {row.what} | {shown} | {proved} | {tests} |"


def _experiments(row: Row) -> list[str]:
    return list(dict.fromkeys([*row.experiments, *(FOUND_IN[name].experiment for name in row.defects)]))


def _planted(cell: Cell) -> str:
    return f"`{cell.name}` ({cell.check})"


def main() -> None:
    sections = read()
    found = mistakes(sections, list(known_experiments()), list(FOUND_IN))
    if found:
        sys.exit(f"{ROWS}:\n  " + "\n  ".join(found))
    sys.stdout.write(page(sections))


if __name__ == "__main__":
    main()
