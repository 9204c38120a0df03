"""Short scenarios, each with one fault that a certain mutant can't hide; a sound build stands them all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from simulator.kinds import ALL as EVERY_BOOK
from tests.chaos.hops_struck import weather, worker_to_redis
from tests.chaos.kinds import Strike
from tests.chaos.nemesis import Nemesis
from tests.chaos.processes_struck import kill_aggregator, pause_worker_past_lease, terminate_worker
from tests.chaos.system import Shape

LOST_FRAMES, LOST_FOR_S = 5, 2.0
JOINING, JOIN_S = 3, 6.0  # aggregators at most, and how long each may take to get a shard: 2 s of calm, and its start
QUIET_S = 3.0
WELL_S, LOOK_S = 25.0, 0.05
ALL_FOUR = ("binance", "bybit", "kraken", "coinbase")
Act = Callable[[Strike], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is run and what is done to it, venue by venue; those of one `place` can share a system."""

    act: Act
    place: str
    venues: tuple[str, ...]
    """The venues that are struck."""


async def lose_frames(strike: Strike) -> None:
    """Let frames of every book of the venue get lost, some in a row."""
    for _ in range(2):
        await strike.inject("drop", instruments=list(EVERY_BOOK), count=LOST_FRAMES)
        await strike.last(LOST_FOR_S)


async def maintain(strike: Strike) -> None:
    """Let a venue be away for a while, so that its books are stale while another's go on."""
    await strike.inject("maintenance", seconds=3.0)
    await strike.last(4.0)


async def lose_replies(strike: Strike) -> None:
    """Let what the owner writes land and the replies get lost, then the connection."""
    await weather(worker_to_redis, {"drop_replies": True}, 0.6)(strike)


async def join_aggregators(strike: Strike) -> None:
    """Start more aggregators until a live shard has moved to one."""
    for number in range(JOINING):
        name = f"aggregator:more-{number}"
        more = strike.system.processes.setdefault(name, strike.system.aggregators[0].copy(name))
        more.start()
        deadline = monotonic() + JOIN_S
        while monotonic() < deadline:
            await strike.last(LOOK_S)
            if strike.published(more):
                await strike.last(2.0)
                return


async def rest(strike: Strike) -> None:
    """Do nothing for a while."""
    await strike.last(QUIET_S)


ONE = ("binance",)
SCENARIOS = {
    "nothing happens": Scenario(rest, "one venue", ONE),
    "worker SIGTERM": Scenario(terminate_worker, "one venue", ONE),
    "worker paused past its lease": Scenario(pause_worker_past_lease, "one venue", ONE),
    "replies to a worker lost": Scenario(lose_replies, "one venue", ONE),
    "aggregator kill -9": Scenario(kill_aggregator, "one venue", ONE),
    "aggregators join": Scenario(join_aggregators, "one venue", ONE),
    "frames lost": Scenario(lose_frames, "all venues", ALL_FOUR),
    "maintenance": Scenario(maintain, "all venues", ("kraken",)),
}
_BOOKS = ("BTC-USDT", "ETH-USDT", "DOGE-USDT")  # of three shards
SHAPES = {
    "one venue": Shape(venues=ONE, names=_BOOKS, workers=2, aggregators=1, rate=90.0, replica=False),
    "all venues": Shape(venues=ALL_FOUR, names=("BTC-USDT",), workers=1, aggregators=1, rate=120.0, replica=False),
}


def shape_of(scenario: Scenario, venue: str, root: Path | None) -> Shape:
    """Give what is run for a scenario, at one venue only if there is one, with the packages in a folder."""
    shape = replace(SHAPES[scenario.place], root=root)
    return replace(shape, venues=(venue,), rate=shape.rate / len(shape.venues)) if venue else shape


def played(names: list[str], venue: str = "") -> Callable[[Nemesis], Awaitable[None]]:
    """Give what does some scenarios in turn, each at all of its venues at once, and waits until all is well."""

    async def play(nemesis: Nemesis) -> None:
        for name in names:
            scenario = SCENARIOS[name]
            strikes = [
                Strike(nemesis.system, nemesis.recorder, random.Random(1), one)
                for one in ([venue] if venue else scenario.venues)
            ]
            await asyncio.gather(*(scenario.act(strike) for strike in strikes))
            if not await _well(nemesis):
                nemesis.recorder.tally.say("I7", f"{name}: not live again within {WELL_S:.0f} s")

    return play


async def _well(nemesis: Nemesis) -> bool:
    """Wait until all books are live again and have stayed so for a second; a wrong build need not be waited for."""
    good, deadline = 0.0, monotonic() + WELL_S
    while monotonic() < deadline:
        if nemesis.recorder.tally.violations:
            return True
        if not nemesis.recorder.all_live:
            good = 0.0
        elif not good:
            good = monotonic()
        elif monotonic() > good + 1:
            return True
        await asyncio.sleep(LOOK_S)
    return False
