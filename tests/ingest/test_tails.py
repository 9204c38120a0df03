"""What a new owner learns of its streams, on a real server; `test_splice` has what a tail says of a book."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.splice import resume
from ingest.tails import Tail, read_tails
from tests.ingest.toy import Desk, live
from thalweg import keys
from thalweg.events import Event, Open, Snapshot, Taker, Trade
from thalweg.transport import RedisLink
from thalweg.wire import encode_entry, format_id

pytestmark = pytest.mark.anyio
NAME = "BTC-USDT"
KEY, STATUS = keys.stream(NAME, "toy"), keys.status(NAME, "toy")
OPENED = Open("toy", NAME, 8, 8, None, "sequence", None, 1_000)


def _write(server: Any, *events: Event) -> None:
    for n, event in enumerate(events, 1):
        words = encode_entry(event, 1)
        server.xadd(KEY, dict(zip(words[::2], words[1::2], strict=True)), id=format_id(5, n))


async def _tail(redis_url: str, count: int = 128) -> Tail:
    link = RedisLink(redis_url, "test-tails")
    await link.connect()
    try:
        return (await read_tails(link, "toy", [NAME], 6, count))[NAME]
    finally:
        await link.close()


def _told(identity: str, ts_event: int) -> Trade:
    return Trade("toy", NAME, 100, 1, Taker.BUY, identity, ts_event, 9_000)


def _book() -> Snapshot:
    return next(event for event in live(Desk()).events if isinstance(event, Snapshot))


async def test_a_book_whose_snapshot_the_server_lost_does_not_go_on(redis_url: str, server: Any) -> None:
    _write(server, OPENED, _book())
    assert not (await _tail(redis_url)).live
    server.hset(STATUS, "snap_id", "5-2")
    assert (await _tail(redis_url)).live


async def test_the_oldest_entry_read_says_since_when_all_is_known(redis_url: str, server: Any) -> None:
    _write(server, OPENED, _told("a", 1_500), _told("b", 1_600))
    assert (await _tail(redis_url, 2)).since == 9_000
    assert (await _tail(redis_url, 4)).since is None


async def test_a_recap_from_before_the_tail_is_not_written_again() -> None:
    desk = live(Desk())
    kept = [(_told("old", 4_999), 1), (_told("new", 5_001), 1)]
    resumed = resume(desk.session.tracks, {NAME: Tail(since=5_000)}, kept, 9_000, sequenced=False)
    assert [event.id for event, _ in resumed.items if isinstance(event, Trade)] == ["new"]
    assert resumed.dropped == 1
