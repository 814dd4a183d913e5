"""Arrow made ready to write rows amid the load, without pandas.

For its first array pyarrow loads pandas, to ask whether the array is one of pandas': a second of each start, and 60 MB.
Where pandas cannot be had it goes on without, and it asks only once.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pyarrow as pa


class _NoPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def load_arrow() -> None:
    """All that the first rows need; 40 ms of loading later would make requests late that are due then.

    Whoever wants pandas itself, a load profile say, can still import it afterwards.
    """
    no_pandas = _NoPandas()
    sys.meta_path.insert(0, no_pandas)
    try:
        pa.array(np.zeros(1))
    finally:
        sys.meta_path.remove(no_pandas)
