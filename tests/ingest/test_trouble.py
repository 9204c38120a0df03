"""Venues in trouble, over real sockets: what is told, how often we knock, and that books come back right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeAlias

import pytest

from tests.ingest.rig import Rig, rigged, simulated
from thalweg.events import Flag, State
from thalweg.instruments import load_instruments

pytestmark = pytest.mark.anyio
ONE = ("BTC-USDT",)
TWO = (("BTC-USDT",), ("ETH-USDT",))


Running: TypeAlias = dict[str, asyncio.Task[None]]
"""Stories that take seconds of waiting, told at once."""


async def _maintenance() -> None:
    async with rigged("bybit", *TWO) as rig:
        await rig.fault("maintenance", seconds=3)
        began = time.monotonic()
        await rig.until(lambda: len(rig.told(State.HALTED)) >= 2)
        await rig.until(rig.live)
        assert 3 <= time.monotonic() - began <= 12
        assert (await rig.meter())["refused_handshakes"] <= 2
        assert {event.reason for event in rig.told(State.HALTED)} <= {
            "connection lost: received 1012 (service restart) service restart; "
            "then sent 1012 (service restart) service restart",
            "connection refused: HTTP 503",
        }


async def _ban() -> None:
    async with rigged("binance", ("BTC-USDT", "ETH-USDT"), ("SOL-USDT", "XRP-USDT")) as rig:
        await rig.fault("rest_418", seconds=2)
        await rig.fault("drop", instruments=["*"])
        await rig.until(lambda: len(rig.told(State.STALE)) >= 4)
        await rig.until(rig.live)
        meter = await rig.meter()
        assert meter["rest_refused"] >= 1
        assert meter["rest_banned"] == 0
        assert any(event.reason == "HTTP 418" for event in rig.told(State.STALE))


async def _oversized() -> None:
    async with rigged("bybit", ONE) as rig:
        for tries in (1, 2):
            await rig.fault("oversized", instruments=["BTC-USDT"], amount=17)
            await rig.until(lambda count=tries: len(rig.told(State.STALE)) >= count)  # type: ignore[misc]
            assert (rig.told(State.STALE)[-1].reason == "frames above 16 MiB") is (tries == 2)
            if tries == 1:
                await rig.until(rig.live)
        before = (await rig.meter())["connects"]
        await asyncio.sleep(0.6)  # the usual wait would be over by now, most likely
        assert (await rig.meter())["connects"] - before <= 1


async def _late() -> None:
    async with rigged("bybit", ONE) as rig:
        await rig.fault("late", instruments=["BTC-USDT"], seconds=4, amount=3.9)
        await rig.until(lambda: rig.flags() & Flag.LATE)
        await rig.until(lambda: not rig.tracks[0].flags & Flag.LATE, 15)
        assert not rig.told(State.STALE)


async def _delisted() -> None:
    async with rigged("binance", ("BTC-USDT", "ETH-USDT")) as rig:
        await rig.fault("delist", instruments=["BTC-USDT"], seconds=60)
        await rig.fault("cut", instruments=["ETH-USDT"])
        await rig.until(lambda: rig.told(State.DELISTED))
        await rig.until(lambda: rig.tracks[1].state is State.LIVE)
        assert rig.told(State.DELISTED)[0].reason == "unknown to the venue"


async def _hung() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        async with rigged("binance", ONE, redis_url=f"redis://127.0.0.1:{mute.sockets[0].getsockname()[1]}/0") as rig:
            await rig.fault("drop", instruments=["BTC-USDT"])  # its fetch asks for leave, of a Redis that hangs
            await rig.until(lambda: rig.told(State.STALE))
            frames = rig.tally.frames
            await rig.until(lambda: rig.tally.frames >= frames + 20, 4)
            await rig.until(rig.live)
    finally:
        mute.close()


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Running]:
    """Begin all the slow stories."""
    stories = (_maintenance, _ban, _oversized, _late, _delisted, _hung)
    tasks = {story.__name__[1:]: asyncio.create_task(story()) for story in stories}
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_maintenance_halts_the_books_costs_few_attempts_and_is_soon_over(
    running: Running,
) -> None:
    await running["maintenance"]


async def test_a_ban_stops_all_requests_for_the_time_it_says(running: Running) -> None:
    await running["ban"]


async def test_frames_above_our_limit_are_told_apart_and_make_us_slow(running: Running) -> None:
    await running["oversized"]


@pytest.mark.parametrize("kind", ["compressed", "garbage"])
async def test_what_is_compressed_is_never_inflated(kind: str) -> None:
    async with rigged("kraken", ONE) as rig:
        await rig.fault(kind, instruments=["BTC-USDT"])
        await rig.until(lambda: rig.told(State.STALE))
        reason = rig.told(State.STALE)[0].reason
        assert ("reserved bits must be 0" in reason) is (kind == "compressed")
        await rig.until(rig.live)
        assert rig.tally.bad_frames == (kind == "garbage")


@pytest.mark.parametrize("kind", ["stale_snapshot", "slow_snapshot", "new_snapshot"])
async def test_a_book_fetched_too_old_too_late_or_too_new_is_right_in_the_end(kind: str) -> None:
    async with rigged("binance", ONE) as rig:
        await rig.fault(kind, instruments=["BTC-USDT"], amount=0.6)
        calls = (await rig.meter())["rest_calls"]
        await rig.fault("drop", instruments=["BTC-USDT"])
        await rig.until(lambda: rig.told(State.STALE))
        await rig.until(rig.live)
        assert (await rig.meter())["rest_calls"] - calls <= 4
        await asyncio.sleep(0.3)
        assert rig.live()


@pytest.mark.parametrize("venue", ["binance", "bybit", "coinbase"])
async def test_a_sequence_that_goes_back_costs_the_book_for_a_moment(venue: str) -> None:
    async with rigged(venue, ONE) as rig:
        await rig.fault("sequence_reset", instruments=["BTC-USDT"])
        began = time.monotonic()
        await rig.until(lambda: rig.told(State.STALE))
        await rig.until(rig.live)
        assert time.monotonic() - began <= 8


async def test_withdrawn_checksums_cost_nothing_and_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with rigged("kraken", ONE) as rig:
        await rig.fault("checksum_gone", instruments=["BTC-USDT"], seconds=60)
        await rig.until(lambda: rig.flags() & Flag.UNVERIFIED)
        await rig.fault("cut", instruments=["BTC-USDT"])
        await rig.until(lambda: rig.told(State.STALE))
        await rig.until(rig.live)
        assert (rig.tally.gaps, rig.tally.bad_frames) == (0, 0)
        await rig.until(lambda: "checksums of BTC-USDT are wrong or withdrawn" in caplog.text)


async def test_a_lost_removal_is_noticed() -> None:
    async with rigged("bybit", ONE) as rig:
        await rig.fault("crossed", instruments=["BTC-USDT"])
        began = time.monotonic()
        await rig.until(lambda: any(event.reason == "crossed" for event in rig.told(State.STALE)))
        assert time.monotonic() - began <= 5
        await rig.until(rig.live)


async def test_late_news_are_flagged_and_then_not(running: Running) -> None:
    await running["late"]


async def test_a_symbol_that_is_gone_costs_no_other(running: Running) -> None:
    await running["delisted"]


async def test_frames_are_read_while_redis_hangs(running: Running) -> None:
    await running["hung"]


async def test_all_sockets_of_all_venues_cut_at_once_come_back_within_their_budgets() -> None:
    async with simulated(400.0) as port:
        rigs = [Rig(venue, port, [("BTC-USDT",), ("ETH-USDT",), ("SOL-USDT",)]) for venue in load_instruments().usual]
        tasks = [asyncio.ensure_future(feed.run()) for rig in rigs for feed in rig.feeds]
        try:
            await asyncio.gather(*(rig.until(rig.live) for rig in rigs))
            for rig in rigs:
                await rig.fault("cut", instruments=["*"])
            await asyncio.gather(*(rig.until(partial(_cut, rig)) for rig in rigs))
            await asyncio.gather(*(rig.until(rig.live) for rig in rigs))
            meters: list[dict[str, Any]] = [await rig.meter() for rig in rigs]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    for rig, meter in zip(rigs, meters, strict=True):
        assert meter["connects_most"] == 6 <= rig.venue.connect_limit.most
        assert meter["carried_most"] == 1


def _cut(rig: Rig) -> bool:
    return len(rig.told(State.STALE)) >= 3
