"""How long users were told late, and how long books were away: measured per fault, held against bounds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from thalweg.events import State

Book = tuple[str, str]
TOLD, LIVE, STALE = "told", "live", "stale"


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that may pass: until users are told, until books are live, or in which they are not."""

    what: str
    seconds: float


BOUNDS = {
    "worker SIGTERM": Bound(STALE, 1.0),
    "worker kill -9": Bound(LIVE, 4.5),
    "venue cut": Bound(LIVE, 5.0),
    "aggregator kill -9": Bound(LIVE, 4.0),
    "redis restart": Bound(LIVE, 3.0),
    "redis hang told": Bound(TOLD, 1.0),
    "hot silent book told": Bound(TOLD, 5.0),
}


@dataclass(slots=True)
class Outcome:
    """What one fault did; seconds. `live` counts from its end where it lasts, else from its begin."""

    kind: str
    measured: str
    venue: str
    at: float
    told: float | None = None
    live: float | None = None
    stale: float = 0.0


@dataclass(slots=True)
class Spans:
    """Readings of all outcomes of a kind."""

    values: list[float] = field(default_factory=list)
    missing: int = 0

    def add(self, value: float | None) -> None:
        """Take one; `None` means that it never came."""
        if value is None:
            self.missing += 1
        else:
            self.values.append(value)

    def row(self) -> tuple[int, float, float]:
        """Give count, median and maximum."""
        ordered = sorted(self.values)
        return len(ordered), ordered[len(ordered) // 2] if ordered else 0.0, ordered[-1] if ordered else 0.0


def stale_for(changes: Iterable[tuple[float, Book, State]], book: Book, since: float, until: float) -> float:
    """Give how long a book that was live at `since` was not live until `until`."""
    away, total = None, 0.0
    for at, changed, state in changes:
        if changed != book or not since <= at <= until:
            continue
        if state is State.LIVE:
            total += at - away if away is not None else 0.0
            away = None
        elif away is None:
            away = at
    return total + (until - away if away is not None else 0.0)


def first_told(told: Iterable[tuple[float, str, str, str]], books: Sequence[Book], since: float) -> float | None:
    """Give when a user was first told that one of these books, Redis or the aggregator is not live."""
    concerned = set(books)
    found = (
        at - since
        for at, venue, name, state in told
        if at >= since and state != "live" and (venue == "sys" or (venue, name) in concerned)
    )
    return min(found, default=None)


def last_back(
    changes: Iterable[tuple[float, Book, State]],
    told: Iterable[tuple[float, str, str, str]],
    opens: Iterable[tuple[float, Book]],
    books: Sequence[Book],
    since: float,
) -> float | None:
    """Give the last instant at which one of these books came back, in `out:` or at the client, or began anew."""
    concerned = set(books)
    seen = [at for at, book, state in changes if at >= since and book in concerned and state is State.LIVE]
    seen += [at for at, book in opens if at >= since and book in concerned]
    seen += [
        at
        for at, venue, name, s in told
        if at >= since and s == "live" and (venue == "sys" or (venue, name) in concerned)
    ]
    return max(seen, default=None)


def table(outcomes: Iterable[Outcome]) -> dict[str, dict[str, float]]:
    """Give count, median, maximum and bound of every measured kind."""
    spans: dict[str, Spans] = {}
    for one in outcomes:
        if one.measured:
            spans.setdefault(one.measured, Spans()).add(getattr(one, BOUNDS[one.measured].what))
    found = {}
    for name, bound in BOUNDS.items():
        span = spans.get(name, Spans())
        n, middle, most = span.row()
        found[name] = {"n": n, "p50": round(middle, 3), "max": round(most, 3), "bound": bound.seconds}
        found[name]["never"] = span.missing
    return found


def beyond(rows: dict[str, dict[str, float]]) -> list[str]:
    """Give what is beyond its bound, as sentences."""
    found = []
    for name, row in rows.items():
        if row["max"] > row["bound"]:
            found.append(f"{name}: {row['max']:.2f} s is beyond {row['bound']:.1f} s")
        if row["never"] and BOUNDS[name].what == TOLD:
            found.append(f"{name}: {row['never']:.0f} times users were not told")
    return found
