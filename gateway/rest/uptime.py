"""How long every venue's books were live of late, from what the aggregators keep by the hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.shapes.answers import BookUptime, UptimeAnswer, VenueUptime
from gateway.topic import Now

HOUR_NS = 3_600_000_000_000
MOST_HOURS = 168  # that are kept
DEFAULT_HOURS = 24

Hours = Mapping[str, Iterable[Mapping[str, str]]]
"""By instrument, the fields of each hour's hash: `<venue>.live_ms` and so on."""


def hours_before(ts_now: int, count: int) -> range:
    """Give the hours, counted from the Unix epoch, of which the last is the present one."""
    last = ts_now // HOUR_NS
    return range(last - count + 1, last + 1)


def uptime(kept: Hours, count: int, now: Now) -> UptimeAnswer:
    """Give each book's and each venue's time observed and live, and how often books ceased to be."""
    sums = {instrument: _sums(hours) for instrument, hours in kept.items()}
    books = [_book(instrument, venue, one) for instrument, venues in sums.items() for venue, one in venues.items()]
    return {"as_of": now.micros, "hours": count, "venues": _venues(books), "books": books}


def _sums(hours: Iterable[Mapping[str, str]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for fields in hours:
        for field, text in fields.items():
            venue, _, name = field.rpartition(".")
            if text.isdigit():
                found.setdefault(venue, Counter())[name] += int(text)
    return found


def _book(instrument: str, venue: str, one: Counter[str]) -> BookUptime:
    return {
        "instrument": instrument,
        "venue": venue,
        "observed_s": one["observed_ms"] / 1000,
        "live_s": one["live_ms"] / 1000,
        "live_share": _share(one["live_ms"], one["observed_ms"]),
        "falls": one["falls"],
    }


def _venues(books: Iterable[BookUptime]) -> list[VenueUptime]:
    sums: dict[str, Counter[str]] = {}
    for book in books:
        one = sums.setdefault(book["venue"], Counter())
        one["observed"] += round(book["observed_s"] * 1000)
        one["live"] += round(book["live_s"] * 1000)
        one["falls"] += book["falls"]
        one["books"] += 1
    return [
        {
            "venue": venue,
            "books": one["books"],
            "live_share": _share(one["live"], one["observed"]),
            "falls": one["falls"],
        }
        for venue, one in sums.items()
    ]


def _share(live: int, observed: int) -> str | None:
    """Give a share as a decimal text, rounded down so that 1 means all of it; `None` where nothing was observed."""
    return None if observed <= 0 else f"{live * 100_000 // observed / 100_000:.5f}"
