"""The load generator does not load what it does not use, and what it uses it loads before the load."""

import subprocess
import sys
from pathlib import Path

import pytest

WRITES_ROWS = """
import sys
from pathlib import Path
from harness.load.inside_locust.light_arrow import load_arrow
from harness.record.request_writer import RequestWriter, RowWords

{call}
before = set(sys.modules)
writer = RequestWriter(Path(sys.argv[1]))
words = RowWords("home", "GET /", 1, "ok", "", 200, "", "", "", 0, "", "", "", False, "", "", "", False, 1)
writer.add(words, (1, 2, 3, 4, 5, 6, 7))
writer.close()
print("pandas" in sys.modules, bool(set(sys.modules) - before))
import pandas
print(pandas.Series([1]).sum())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("call", "loaded"), [("load_arrow()", "False"), ("", "True")])
def test_the_first_rows_load_nothing_and_who_wants_pandas_has_it(call: str, loaded: str, tmp_path: Path) -> None:
    code = WRITES_ROWS.format(call=call)
    arguments = [sys.executable, "-c", code, str(tmp_path / "requests-0.arrow")]

    printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    assert printed.split() == [loaded, loaded, "1"]
