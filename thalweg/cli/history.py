"""What state each book was in, when, as the publications told it; and what that says of injected faults."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from thalweg.events import Flag, State
from thalweg.publication import VenueLine

WINDOW_NS = 10_000_000_000  # within which a fault must show
SILENCE_NS = 15_000_000_000  # the same for silence, which shows when patience ends: 10 s of a socket without any frame
HANDED_OVER = "new epoch"  # what the aggregator says of a book between an `open` and the snapshot after it
HANDOVER_NS = 1_000_000_000  # within which the new owner's snapshot comes; an epoch change alone is no loss
UNSEEN_NS = 2_000_000_000  # how much sooner than the judge a service may find that Redis can't be used
SILENCES = ("silent_book", "silent_socket")
GAP, TRADES = "gap", "trades"


def window(fault: Mapping[str, Any]) -> int:
    """Give how long after a fault it must have shown."""
    return SILENCE_NS if fault["kind"] in SILENCES else WINDOW_NS


@dataclass(slots=True)
class Change:
    """A book's state, reason, since and whether it is late, from the instant `ts` on."""

    ts: int
    state: State
    reason: str
    since: int | None
    late: bool = False


@dataclass(slots=True)
class Outage:
    """A time for which Redis kept these instruments from the judge: instants in ns, and no `end` while it lasts."""

    instruments: tuple[str, ...]
    begin: int
    end: int | None = None


@dataclass(slots=True)
class History:
    """The changes of every book, by (venue, instrument), oldest first."""

    changes: dict[tuple[str, str], list[Change]] = field(default_factory=lambda: defaultdict(list))

    def note(self, book: tuple[str, str], ts: int, line: VenueLine) -> None:
        """Note how a publication shows a book."""
        known = self.changes[book]
        last = known[-1] if known else None
        now = Change(ts, line.state, line.reason, line.since, bool(line.flags & Flag.LATE))
        if last is None or replace(last, ts=ts) != now:
            known.append(now)

    def marked(self, book: tuple[str, str], ts: int, end: int, *, late_counts: bool) -> int | None:
        """Give when a book was first shown as not live from `ts` to `end`; `None` if it was not.

        One that went and came back between two publications shows by being live since a later instant. A book that
        is silent is flagged `late` first, and asked for again; if the venue answers, that was the mark.
        """
        known = self.changes[book]
        at = max(bisect_right(known, ts, key=lambda change: change.ts) - 1, 0)
        for change in known[at:]:
            if change.ts > end:
                return None
            returned = change.ts > ts and (change.since or 0) > ts
            if change.state is not State.LIVE or returned or (late_counts and change.late):
                return max(change.ts, ts)
        return None

    def resynced(self, book: tuple[str, str], ts: int) -> int | None:
        """Give when a book was live again and not late, at `ts` or later."""
        known = (change for change in self.changes[book] if change.ts >= ts)
        return next((change.ts for change in known if change.state is State.LIVE and not change.late), None)

    def told(self, book: tuple[str, str], ts: int, end: int) -> int | None:
        """Give when a status of a book was told after `ts`, up to `end`, whatever its state."""
        return next((change.ts for change in self.changes[book] if ts < change.ts <= end), None)

    def interruptions(self) -> Iterable[tuple[tuple[str, str], Change]]:
        """Give every change from live to another state, but for books that were handed over."""
        for book, known in self.changes.items():
            for at, (before, after) in enumerate(pairwise(known), 1):
                if before.state is State.LIVE and after.state is not State.LIVE and not _handed_over(known[at:]):
                    yield book, after


def _handed_over(known: Sequence[Change]) -> bool:
    """Whether the first of these changes only says that another worker writes the book now."""
    first = known[0]
    back = next((change.ts for change in known if change.state is State.LIVE), None)
    return first.reason == HANDED_OVER and back is not None and back - first.ts <= HANDOVER_NS


def judge_faults(
    history: History, faults: Sequence[Mapping[str, Any]], ts_end: int, outages: Sequence[Outage] = ()
) -> dict[str, Any]:
    """Say of each fault whether it was marked and mended, and which books stopped being live without one.

    Books of an instrument that Redis kept from us may cease to be live: that is what they should do.

    Counted are the faults that must show as a gap. A fault so late that the run ended within its window is counted
    as soon as it was marked and mended, and told as `cut_off` otherwise.
    """
    detail = [judge_fault(history, fault, ts_end) for fault in faults]
    counted = [one for one in detail if one["expect"] == GAP and not one["cut_off"]]
    return {
        "injected": len(counted),
        "marked": sum(one["marked_ms"] is not None for one in counted),
        "resynced": sum(one["resynced_ms"] is not None for one in counted),
        "collateral": len(unexplained := unexplained_interruptions(history, faults, ts_end, outages)),
        "unexplained": unexplained,
        "detail": detail,
    }


def judge_fault(history: History, fault: Mapping[str, Any], ts_end: int) -> dict[str, Any]:
    """Say when a fault was marked on all its books and when all of them were live again, in ms after it."""
    ts, books = fault["ts_ns"], [(fault["venue"], name) for name in fault["instruments"]]
    end = ts + window(fault)
    if fault.get("scope") == TRADES:
        marks = [history.told(book, ts, end) for book in books]
    else:
        marks = [history.marked(book, ts, end, late_counts=fault["kind"] in SILENCES) for book in books]
    found = [mark for mark in marks if mark is not None]
    marked = max(found, default=None) if len(found) == len(marks) else None
    ends: list[int | None] = []
    if marked is not None and fault.get("scope") != TRADES:
        ends = [history.resynced(book, mark) for book, mark in zip(books, found, strict=True)]
    elif marked is not None:
        ends = [*found]
    resynced = max((end for end in ends if end), default=None) if ends and None not in ends else None
    done = marked is not None and resynced is not None
    return {
        **{key: fault.get(key) for key in ("id", "kind", "venue", "instruments", "expect", "scope")},
        "marked_ms": None if marked is None else round((marked - ts) / 1e6),
        "resynced_ms": None if resynced is None else round((resynced - ts) / 1e6),
        "cut_off": not done and ts_end < end,
    }


def unexplained_interruptions(
    history: History, faults: Iterable[Mapping[str, Any]], ts_end: int, outages: Iterable[Outage] = ()
) -> list[str]:
    """Name the books that stopped being live before `ts_end` though no fault and no outage concerned them."""
    away = defaultdict(list)
    for one in outages:
        for name in one.instruments:
            away[name].append((one.begin - UNSEEN_NS, (ts_end if one.end is None else one.end) + WINDOW_NS))
    spans = defaultdict(list)
    for fault in faults:
        for name in fault["instruments"]:
            spans[fault["venue"], name].append((fault["ts_ns"], fault["ts_ns"] + window(fault)))
    return [
        f"{book[0]}:{book[1]} became {change.state} ({change.reason}) though no fault concerned it"
        for book, change in history.interruptions()
        if change.ts < ts_end and not any(begin <= change.ts <= end for begin, end in spans[book] + away[book[1]])
    ]
