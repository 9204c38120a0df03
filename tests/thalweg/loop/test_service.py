"""The loop's lag as it is noted, the frozen collector, and a loop that spins."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from thalweg.latency import Ring
from thalweg.loop.service import FAR_BEHIND, PERIOD_NS, Probe, every, spin, watch

FROZEN = """
import asyncio, gc
from thalweg.loop.service import settle

async def main():
    settle(asyncio.get_running_loop())
    print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < gc.get_freeze_count())

asyncio.run(main())
"""


def test_a_call_in_time_has_its_own_delay() -> None:
    ring = Ring()
    probe = Probe(ring, 1_000)
    probe.called(1_000)
    probe.called(1_000 + PERIOD_NS + 250)
    assert ring.samples() == [0, 250]


def test_a_loop_that_stood_still_owes_every_call_it_missed() -> None:
    ring = Ring()
    probe = Probe(ring, 0)
    probe.called(3 * PERIOD_NS + 5)
    assert ring.samples() == [3 * PERIOD_NS + 5, 2 * PERIOD_NS + 5, PERIOD_NS + 5, 5]


def test_a_call_before_its_time_is_none() -> None:
    ring = Ring()
    Probe(ring, 1_000).called(999)
    assert ring.count == 0


def test_a_process_that_was_stopped_for_an_hour_tells_of_the_last_calls_alone() -> None:
    ring = Ring()
    probe = Probe(ring, 0)
    probe.called(3_600_000_000_000)
    assert ring.count == FAR_BEHIND + 1
    probe.called(3_600_000_000_000 + PERIOD_NS)
    assert ring.count == FAR_BEHIND + 2


@pytest.mark.anyio
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timers that can be polled are Linux's")
async def test_a_blocked_loop_shows_in_the_ring() -> None:
    ring = Ring()
    with watch(ring):
        time.sleep(4 * PERIOD_NS / 1e9)  # noqa: ASYNC251 - the point: nobody else gets a turn
        while ring.count < 3:  # noqa: ASYNC110 - the ring tells nobody
            await asyncio.sleep(0)
    assert max(ring.samples()) >= 2 * PERIOD_NS


@pytest.mark.anyio
async def test_a_call_is_made_again_and_again_until_the_block_ends() -> None:
    calls, thrice = list[int](), asyncio.Event()

    def call() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    with every(0.001, call):
        async with asyncio.timeout(5):
            await thrice.wait()
    made = len(calls)
    await asyncio.sleep(0.01)
    assert len(calls) == made


@pytest.mark.anyio
async def test_a_loop_that_spins_still_serves_everyone_and_ends() -> None:
    spin(asyncio.get_running_loop())
    first, second = await asyncio.gather(asyncio.sleep(0.001, "timer"), asyncio.to_thread(str, "thread"))
    assert (first, second) == ("timer", "thread")


def test_what_lives_at_the_start_is_frozen_for_the_collector() -> None:
    done = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True"]
