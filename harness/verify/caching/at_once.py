"""How often one key was being made at the same time after a cache had been emptied: that is what a stampede is.

One key among many hides in an average, and a popular one is rightly made again whenever it changes. Two that make the
same at the same time in the same replica do what one could have done for both. Answers tell which of them were made for
who asked and which only waited for that; when, is from the request to its answer, as the user saw it. What was made and
reached nobody is missing, so more than the limit is a fact, and less is less as far as answers tell. It counts only
where more than that asked for a key at once while no cache had it: else nobody could have made it so often.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.experiment.expectations.caching import CachingCheck
from harness.verify import figures, windows
from harness.verify.caching.emptied import Emptied
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure


def figures_of(emptied: Emptied, check: CachingCheck, evidence: list[Evidence]) -> Iterator[Figure]:
    for kind, most in check.builds_at_once.items():
        name, accept = f"builds of one key at once ({kind}) after the cache was emptied", f"at most {say(most, '')}"
        missed = emptied.missed(kind)
        named = missed[missed["object"] != ""]
        made = named[windows.is_word(named["cache"], *emptied.promise.made)]
        builds, at_s, witness = most_at_once(made)
        why_not = emptied.doubt or _why_not(len(missed) - len(named), most_at_once(named)[0], most)
        if builds <= most and why_not:
            yield figures.unknown(name, unit="", accept=accept, reason=why_not)
            continue
        if builds > most:
            sentence = f"{witness} was being made {builds:,} times at once."
            evidence.append(Evidence(at_s=at_s, until_s=at_s, sentence=sentence, source="requests"))
        yield figures.bounded(name, builds, most, unit="", samples=len(named), reason=f"that was {witness}")


def most_at_once(answers: pd.DataFrame) -> tuple[int, float, str]:
    """How many were under way at the same time for one key at one server, from when on, and which; the first of
    several. Both ends are exclusive: what ends as another begins was not at the same time."""
    if answers.empty:
        return 0, 0.0, ""
    edges = pd.concat(
        [
            answers[["object", "served_by"]].astype(str).assign(at_s=answers["sent_s"], change=1),
            answers[["object", "served_by"]].astype(str).assign(at_s=answers["finished_s"], change=-1),
        ]
    ).sort_values(["at_s", "change"], kind="stable", ignore_index=True)
    under_way = edges.groupby(["object", "served_by"])["change"].cumsum()
    place = int(np.argmax(under_way.to_numpy()))
    first = edges.iloc[place]
    return int(under_way.iloc[place]), float(first["at_s"]), f"{first['object']} by {first['served_by']}"


def _why_not(nameless: int, asked: int, most: int) -> str:
    if nameless:
        return f"the load profile does not name {nameless:,} of the pages that no cache had"
    return f"no more than {asked:,} asked for one key at once while no cache had it" if asked <= most else ""
