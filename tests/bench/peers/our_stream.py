"""Our side of the stream comparison: `python -m tests.bench.peers.our_stream PORT FRAMES`, then as `playing` says.

A session and a sink, as an ingest worker has them; frames come from memory instead of a socket. With THALWEG_BUSY_POLL
the loop spins, as a worker's does.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from ingest.session import Session
from ingest.sink import Sink
from ingest.splice import resume
from ingest.tally import Tally
from ingest.venues import VENUES
from tests.bench.peers.playing import Player, load, until
from tests.bench.replay import Listings
from thalweg.clock import SystemClock
from thalweg.instruments import load_instruments
from thalweg.kernels import warm
from thalweg.latency import Rings
from thalweg.lease import BEAT_S
from thalweg.loop.service import freeze, spin
from thalweg.settings import Settings

VENUE = "bybit"


async def main(port: str, file: str) -> None:
    """Own the shard, and play."""
    warm()
    clock, frames = SystemClock(), load(file)["frames"]
    venue, tally = VENUES[VENUE], Tally()
    session = Session(venue, Listings(VENUE), tally, lambda: 1.0)
    session.connected(1_000 * frames[0][0], clock.monotonic_ns())
    settings = Settings(instruments=load_instruments(), redis_url=f"redis://127.0.0.1:{port}/0")
    sink = Sink(settings, venue, 0, "bench", tally, Rings("append"), clock)
    for stamp, frame in frames:  # so that all books are known when the streams are opened
        session.frame(frame.encode(), 1_000 * stamp, clock.monotonic_ns())
    sink.tracks = session.tracks
    sink.resume = lambda tails, kept: resume(session.tracks, tails, kept, clock.wall_ns(), sequenced=True)

    async def take(frame: str, stamp: int) -> None:
        effects = session.frame(frame.encode(), 1_000 * stamp, clock.monotonic_ns())
        sink.put(effects.events, clock.wall_ns())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sink.run()), group.create_task(_beat(sink, clock))]
        await until(lambda: sink.owning and not sink.held, 0.01)
        freeze()  # as a worker does
        if os.environ.get("THALWEG_BUSY_POLL"):
            spin(asyncio.get_running_loop())
        print("ready", flush=True)
        await Player(frames, take, lambda: sink.held).serve()
        for task in tasks:
            task.cancel()


async def _beat(sink: Sink, clock: SystemClock) -> None:
    """Renew the lease, as a worker's steward would have it."""
    while True:
        sink.own("", clock.monotonic_ns(), mine=sink.owning)
        await asyncio.sleep(BEAT_S)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
