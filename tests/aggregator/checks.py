"""What must hold of everything an aggregator published and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import redis

from tests.aggregator.feed import NAME, VENUES, Feed, Watcher, covers
from thalweg import keys
from thalweg.events import State
from thalweg.publication import Publication, decode_publication
from thalweg.settings import Settings


def published(client: redis.Redis) -> list[Publication]:
    """What `out:` holds."""
    entries: Any = client.xrange(keys.out(NAME))
    return [decode_publication(entry[b"r"]) for _, entry in entries]


def assert_nothing_lost_or_twice(
    client: redis.Redis, feeds: list[Feed], records: list[Publication] | None = None
) -> None:
    """Sequence dense, every entry in exactly one run, every trade once and in order; in `out:` or these records."""
    records = published(client) if records is None else records
    assert [one.seq for one in records] == list(range(1, len(records) + 1))
    for feed in feeds:
        index = VENUES.index(feed.venue)
        runs = [row[1:] for one in records for row in one.runs.tolist() if row[0] == index]
        covered = [(epoch, n) for epoch, first, last in runs for n in range(first, last + 1)]
        entries: Any = client.xrange(feed.key)
        assert [b"%d-%d" % number for number in covered] == [identity for identity, _ in entries]
        assert [trade.id for one in records for trade in one.trades if trade.venue == index] == feed.trades


def read_report(settings: Settings) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(Path(str(settings.report)).read_text())
    skipped = sum(report["skipped"].values())
    assert report["read"] == report["applied"] + skipped + report["unreadable"]
    assert report["read"] == report["covered"] + report["pending"]
    return report


async def settled(watcher: Watcher, feeds: list[Feed]) -> None:
    """Wait until every feed's book is published live and its last entry is covered."""
    marks = [covers(feed) for feed in feeds]
    done = [False for _ in feeds]

    def all_there(one: Publication) -> bool:
        for at, mark in enumerate(marks):
            done[at] = done[at] or mark(one)
        return all(done) and all(line.state is State.LIVE for line in one.venues)

    for feed in feeds:
        feed.trade()
    await watcher.until(all_there)


async def opened(watcher: Watcher, feeds: list[Feed]) -> None:
    """Open every feed and wait until all is published."""
    for feed in feeds:
        feed.open()
    await settled(watcher, feeds)
