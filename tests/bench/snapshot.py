"""`snapshot`: one frame that holds the whole book of Coinbase's BTC-USD, which is the longest that any venue sends."""

from __future__ import annotations

import gc
from time import perf_counter_ns

from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.replay import Replay, Step, bbo, from_capture
from tests.bench.report import Goal, Row, Table, percentiles

SECONDS = 30.0
LEVELS = 46_000  # of the recorded one; of one made up, where there is no capture
GOALS = {"p50 ms": Goal(15, 7), "p99 ms": Goal(20)}  # no other book of the worker waits for more than 20 ms


def run(plan: Plan) -> list[Table]:
    """Measure the largest frame there is."""
    replay, frame = _replay(plan)
    table = Table(
        "snapshot",
        "snapshot: a whole book in one frame",
        f"one frame of {len(frame.data):,} bytes, {'recorded' if plan.captures else 'made up'}, again and again",
        "one process, back to back, a new book each time; the collector is on, what is there is frozen",
        "the frame's bytes are in hand",
        "decoded, in the book, event made, best bid and offer read",
    )
    gc.collect()
    gc.freeze()
    samples = []
    with watched() as host:
        until = perf_counter_ns() + int(plan.seconds(SECONDS) * 1e9)
        while perf_counter_ns() < until:
            samples.append(_once(replay, frame))
    session, _ = replay.session()
    replay.take(session, frame)
    levels = sum(session.tracks[0].book.counts)
    figures = {"levels": levels, "frames": len(samples), **percentiles(samples, "ms")}
    table.rows.append(Row("coinbase BTC-USD", figures, host, GOALS))
    return [table]


def _once(replay: Replay, frame: Step) -> int:
    session, _ = replay.session()
    start = perf_counter_ns()
    session.frame(frame.data, frame.ts, frame.ts)
    bbo(session.tracks[0])
    return perf_counter_ns() - start


def _replay(plan: Plan) -> tuple[Replay, Step]:
    """Give the frames to choose from and the largest of them."""
    if plan.captures is None:
        replay = Replay.of("coinbase", [Step(_made_up(), 1_786_309_548_000_000_000)])
    else:
        replay = from_capture(plan.captures, "coinbase")
    return replay, max(replay.steps, key=lambda step: len(step.data))


def _made_up() -> bytes:
    """Give a frame as the venue writes it: half the levels bids, best first, then asks."""
    update = '{"side":"%s","event_time":"1970-01-01T00:00:00Z","price_level":"%d.%02d","new_quantity":"0.%08d"}'
    middle = 6_500_000  # cents
    bids = (update % ("bid", *divmod(middle - 7 * k, 100), 1 + k * 7919 % 10**8) for k in range(LEVELS // 2))
    asks = (update % ("offer", *divmod(middle + 1 + 7 * k, 100), 1 + k * 7919 % 10**8) for k in range(LEVELS // 2))
    updates = ",".join((*bids, *asks))
    event = f'{{"type":"snapshot","product_id":"BTC-USD","updates":[{updates}]}}'
    head = '{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T19:59:08.174375Z","sequence_num":0,"events":['
    return f"{head}{event}]}}".encode()
