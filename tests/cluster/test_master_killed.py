"""Three masters, the demo's load, one master killed and started again: told, recovered, all invariants hold."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from tests.cluster.living import demo
from thalweg import keys
from thalweg.cli.masters import Master, url_of
from thalweg.cli.verify import verify
from thalweg.resp import pack
from thalweg.transport import RedisLink
from thalweg.wire import parse_id

pytestmark = pytest.mark.anyio
VENUES, NAMES = "binance,kraken", "BTC-USDT,XRP-USDT,ADA-USDT"  # one instrument on each master
KILLED = 1


async def epochs(url: str, instrument: str, venue: str) -> list[int]:
    """Give the epochs of a stream, in its order; none while its master is away."""
    link = RedisLink(url, "test")
    await link.connect()
    (rows,) = await link.run([pack("XRANGE", keys.stream(instrument, venue), "-", "+")])
    await link.close()
    return [] if isinstance(rows, Exception) else list(dict.fromkeys(parse_id(identity)[0] for identity, _ in rows))


async def more_epochs(url: str, instrument: str, venue: str, than: list[int]) -> list[int]:
    """Wait for another epoch."""
    for _ in range(200):
        if len(found := await epochs(url, instrument, venue)) > len(than):
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{instrument} at {venue} has no other epoch than {than}")


async def test_a_master_that_is_killed_costs_its_own_books_alone_and_they_come_back(
    redis_cluster: list[Master], tmp_path: Path
) -> None:
    master = redis_cluster[KILLED]
    async with demo(url_of(redis_cluster), tmp_path, VENUES, NAMES, "--rate", "200") as one:
        struck = one.at(KILLED)
        others = [book for book in one.books if book not in struck]
        began = {name: await epochs(one.url, name, "kraken") for name in one.instruments.by_name}
        killed_at = monotonic()
        master.kill()
        try:
            assert await one.until(lambda: one.are(struck, "stale")) < 2.0
            assert one.told.parts["redis"] == ("live", "can't be reached (XRP-USDT)")
        finally:
            master.start()
        before = began.pop("XRP-USDT")
        after = await more_epochs(one.url, "XRP-USDT", "kraken", than=before)
        assert after == sorted(after)
        assert after[: len(before)] == before
        await one.until(lambda: one.are(struck, "live"))
        assert one.touched(killed_at).keys().isdisjoint(others)
        assert {name: await epochs(one.url, name, "kraken") for name in began} == began
        streams = [(name, venue) for venue, name in one.books]
        assert (await verify(one.url, one.instruments, streams)).violations == []
        summary = await one.stop()
    assert one.process.returncode == 0
    assert {name for outage in summary["outages"] for name in outage["instruments"]} == {"XRP-USDT"}
    assert summary["conservation"] == {"ok": True, "violations": []}
    assert summary["oracle"]["compared"] == summary["oracle"]["equal"] > 0
    assert summary["live_wrong_events"] == 0
