"""What is made of runs that have ended: verdicts, reports, lists."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.display.runs import show_trials, show_verdicts
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.judging import Judged  # loads the scientific libraries


def judge(console: Console, folder: Path) -> ExitCode:
    return judge_and_show(console, folder).exit_code


def judge_and_show(console: Console, folder: Path) -> "Judged":
    from harness.judging import judge_run  # noqa: PLC0415 - loads the scientific libraries; other commands are quicker

    judged = judge_run(folder)
    show_verdicts(judged.verdicts, console, exit_code=judged.exit_code, report=judged.report)
    return judged


def report(console: Console, folder: Path) -> ExitCode:
    from harness.judging import judge_run  # noqa: PLC0415 - as in `judge_and_show`

    console.print(str(judge_run(folder).report), soft_wrap=True)
    return ExitCode.PASS


def post_mortem(console: Console, folder: Path) -> ExitCode:
    from harness.judging import draft_post_mortem  # noqa: PLC0415 - as in `judge_and_show`

    console.print(draft_post_mortem(folder), soft_wrap=True, markup=False, highlight=False, end="")
    return ExitCode.PASS


def selftest(console: Console, folder: Path | None) -> ExitCode:
    from harness.judging import try_the_checks  # noqa: PLC0415 - as in `judge_and_show`

    tried = try_the_checks(folder)
    show_trials(tried, console)
    return tried.exit_code


def list_runs(console: Console, folder: Path) -> ExitCode:
    from harness.record.reader import runs as recorded_runs  # noqa: PLC0415 - as in `judge_and_show`

    table = Table("run", "experiment", "outcome", "", box=None)
    for summary in recorded_runs(folder):
        remark = summary.problem or ("" if summary.sealed else "not finished")
        table.add_row(summary.run_id, escape(summary.title), summary.outcome or "–", escape(remark))
    console.print(table)
    return ExitCode.PASS


def series(console: Console, folders: list[Path]) -> ExitCode:
    from harness.judging import judge_series  # noqa: PLC0415 - as in `judge_and_show`
    from harness.verify.failover.series import exit_code as worst_of  # noqa: PLC0415 - as in `judge_and_show`
    from harness.verify.failover.series import in_words  # noqa: PLC0415 - as in `judge_and_show`

    found = judge_series(folders)
    for check, series in found:
        console.print(f"users of {check.cohort}: {in_words(series, str(check.rto))}", highlight=False, soft_wrap=True)
    return worst_of([series for _, series in found])
