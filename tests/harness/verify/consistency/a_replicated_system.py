"""Histories of a system that keeps its promises, of any size: four regions, each shows its own writes at once.

Users at home in the four regions post, read each other's posts and home timelines in pages of twenty, and like. Each
link shows what its source took in that order, with a lag; the one from europe to asia-pacific is cut for a fifth of the
time. For a tenth of it everybody at home in us-east is served by us-west. In the end everything is read once more in
every region, by sessions of their own. `hasty_links` show posts in any order, which breaks monotonic writes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.verify.consistency.history import Ending, Floats, History, Ints, Kind, from_columns

REGIONS = ("us-east", "us-west", "europe", "asia-pacific")
CIRCLES, PAGE = 100, 20
LENGTH_S, LATENCY_S, LAG_S = 300.0, 0.02, 0.05
CUT_S, MOVED_S = (120.0, 180.0), (60.0, 90.0)
FINAL_S = LENGTH_S * 3  # everything has come everywhere by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Operations as a frame with the columns of `Operation`, and what they saw as `from_columns` takes it."""

    frame: pd.DataFrame
    seen_counts: Ints
    seen: "pd.Categorical[str]"
    newest_last: list[str]


def a_replicated_system(operations: int, *, users: int = 2_000, seed: int = 7, hasty_links: bool = False) -> History:
    told = told_by_a_replicated_system(operations, users=users, seed=seed, hasty_links=hasty_links)
    order = {name: (place, place) for place, name in enumerate(told.newest_last)}
    return from_columns(told.frame, seen_counts=told.seen_counts, seen=told.seen, regions=REGIONS, order=order)


def told_by_a_replicated_system(
    operations: int, *, users: int = 2_000, seed: int = 7, hasty_links: bool = False
) -> Told:
    chance = np.random.default_rng(seed)
    calls = _Calls.drawn(operations // users, users, chance)
    posts = np.flatnonzero((calls.kind == Kind.WRITE) & (calls.ending == Ending.OK))
    acked_s = calls.at_s[posts] + LATENCY_S
    shown_s = _shown_from_s(calls.region[posts], acked_s, chance, hasty=hasty_links)
    by_author = _Shelf.of(calls.user[posts], acked_s, shown_s)
    by_circle = _Shelf.of(calls.user[posts] % CIRCLES, acked_s, shown_s)
    counts, pages = np.zeros(len(calls.user), dtype=np.int64), np.full((len(calls.user), PAGE), -1, dtype=np.int64)
    for kind, shelf, group in (("posts", by_author, calls.whom), ("home", by_circle, calls.user % CIRCLES)):
        reads = np.flatnonzero((calls.kind == Kind.READ) & (calls.what == kind))
        when = calls.at_s[reads] + LATENCY_S / 2
        counts[reads], pages[reads] = shelf.newest(group[reads], calls.region[reads], when)
    names = np.array([f"post-{code}" for code in range(len(posts))], dtype=object)
    final, in_the_end = _final_reads(users, by_author)
    frame = pd.concat([calls.frame(posts, names, counts < PAGE), final], ignore_index=True)
    seen = np.concatenate([pages[pages >= 0], *in_the_end]) if in_the_end else pages[pages >= 0]
    return Told(
        frame=frame,
        seen_counts=np.concatenate([counts, np.array([len(each) for each in in_the_end], dtype=np.int64)]),
        seen=pd.Categorical.from_codes(seen.tolist(), categories=pd.Index(names)),
        newest_last=names[np.argsort(acked_s, kind="stable")].tolist(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    user: Ints
    at_s: Floats
    region: Ints
    kind: Ints
    what: np.ndarray
    whom: Ints
    ending: Ints

    @classmethod
    def drawn(cls, each: int, users: int, chance: np.random.Generator) -> "_Calls":
        """A tenth posts, a twentieth each likes and reads of likes, the rest profiles and home timelines."""
        rest_s = LENGTH_S / each - 2 * LATENCY_S
        at_s = np.cumsum(rest_s * chance.exponential(size=(users, each)) + 2 * LATENCY_S, axis=1).ravel()
        user = np.repeat(np.arange(users), each)
        draw = chance.random(len(user))
        home = user % len(REGIONS)
        away = (home == 0) & (at_s > MOVED_S[0]) & (at_s < MOVED_S[1])
        kind = np.select([draw < 0.1, draw < 0.15], [int(Kind.WRITE), int(Kind.INCREMENT)], int(Kind.READ))
        what = np.select([draw < 0.1, draw < 0.2, draw < 0.6], ["posts", "likes", "posts"], "home")
        stranger = np.where(chance.random(len(user)) < 0.2, user, chance.integers(0, users, len(user)))
        return cls(
            user=user,
            at_s=at_s,
            region=np.where(away, 1, home),
            kind=kind,
            what=what,
            whom=np.where((kind == Kind.WRITE) | (what == "home"), user, stranger),
            ending=np.where(chance.random(len(user)) < 0.001, int(Ending.FAIL), int(Ending.OK)),
        )

    def frame(self, posts: Ints, names: np.ndarray, whole: np.ndarray) -> pd.DataFrame:
        ids = np.full(len(self.user), "", dtype=object)
        ids[posts] = names
        likes = np.where(self.kind == Kind.INCREMENT, 1.0, np.where(self.what == "likes", 0.0, np.nan))
        region = np.array(REGIONS, dtype=object)[self.region]
        return pd.DataFrame(
            {
                "session": self.user,
                "kind": self.kind,
                "object": self.what.astype(object) + " of user-" + self.whom.astype(str).astype(object),
                "invoked_s": self.at_s,
                "completed_s": self.at_s + LATENCY_S,
                "ending": self.ending,
                "asked": region,
                "served": region,
                "id": ids,
                "key": "",
                "amount": likes,
                "whole": whole,
                "final": False,
            }
        )


def _shown_from_s(region: Ints, acked_s: Floats, chance: np.random.Generator, *, hasty: bool) -> Floats:
    """[region, post] → from when on it is shown there."""
    shown_s = acked_s + chance.gamma(2.0, LAG_S / 2, size=(len(REGIONS), len(acked_s)))
    shown_s[region, np.arange(len(acked_s))] = acked_s - LATENCY_S / 2
    cut = (region == 2) & (acked_s > CUT_S[0]) & (acked_s < CUT_S[1])
    shown_s[3, cut] = CUT_S[1] + chance.random(int(cut.sum()))
    for source in range(len(REGIONS)) if not hasty else ():
        mine = np.flatnonzero(region == source)
        mine = mine[np.argsort(acked_s[mine])]
        shown_s[:, mine] = np.maximum.accumulate(shown_s[:, mine], axis=1)
    return shown_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """Posts by group (an author, a circle of users) and age."""

    code: Ints
    group: Ints
    acked_s: Floats
    shown_s: Floats

    @classmethod
    def of(cls, group: Ints, acked_s: Floats, shown_s: Floats) -> "_Shelf":
        line = np.lexsort((acked_s, group))
        return cls(code=line, group=group[line], acked_s=acked_s[line], shown_s=shown_s[:, line])

    def newest(self, group: Ints, region: Ints, at_s: Floats) -> tuple[Ints, Ints]:
        """How many posts each read shows, and which: the newest of the group that are in the region by then."""
        word = self.group * 1e6 + self.acked_s
        begin, end = np.searchsorted(word, group * 1e6), np.searchsorted(word, group * 1e6 + at_s)
        number, found = np.zeros(len(group), dtype=np.int64), np.full((len(group), PAGE), -1, dtype=np.int64)
        for back in range(1, 4 * PAGE):  # as far as anybody has to look for a page of posts that have come
            place = end - back
            shows = (place >= begin) & (number < PAGE)
            shows &= self.shown_s[region, np.maximum(place, 0)] <= at_s
            found[shows, number[shows]] = self.code[np.maximum(place, 0)[shows]]
            number += shows
        return number, found

    def all_of(self, group: int) -> Ints:
        first, last = np.searchsorted(self.group, [group, group + 1])
        return self.code[first:last]


def _final_reads(users: int, by_author: _Shelf) -> tuple[pd.DataFrame, list[Ints]]:
    rows, seen = [], []
    for number, name in enumerate(REGIONS):
        for user in range(users):
            at_s = FINAL_S + user
            rows.append((10**9 + number, int(Kind.READ), f"posts of user-{user}", at_s, at_s + LATENCY_S, name))
            seen.append(by_author.all_of(user))
    frame = pd.DataFrame(rows, columns=["session", "kind", "object", "invoked_s", "completed_s", "served"])
    frame = frame.assign(asked=frame["served"], ending=int(Ending.OK), id="", key="", amount=np.nan)
    return frame.assign(whole=True, final=True), seen
