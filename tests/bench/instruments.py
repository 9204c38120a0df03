"""`instruments`: what a message costs with 36 instruments and with 360, at the same total rate.

Of one ingest worker, whose session is also to look after every book ten times a second.
"""

from __future__ import annotations

import gc
import random
from statistics import median
from time import process_time

from ingest.session import Session
from ingest.tally import Tally
from ingest.venues import VENUES
from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.report import Goal, Row, Table
from thalweg.instruments import Instrument

COUNTS = (36, 360)
RATE, TICKS = 1_000, 10  # frames and ticks a second, as a worker has them
SECONDS = 16.0  # of CPU, in all
LEVELS = 50  # a side
SECOND = 1_000_000_000
START = 1_786_310_818_000_000_000


class Worker:
    """A session with so many live books, and frames made up for them."""

    def __init__(self, count: int) -> None:
        self._rng, self._symbols = random.Random(7), [f"C{number:03}USDT" for number in range(count)]
        listings = {symbol: Instrument(symbol, 8, 8, {"bybit": symbol}) for symbol in self._symbols}
        self.session = Session(VENUES["bybit"], listings, Tally(), lambda: 1.0)
        self.now, self._sent = START, 0
        self._sequence = dict.fromkeys(self._symbols, 1)
        self.session.connected(self.now, self.now)
        for symbol in self._symbols:
            self.session.frame(self._frame(symbol, "snapshot", LEVELS), self.now, self.now)

    def _frame(self, symbol: str, kind: str, levels: int) -> bytes:
        number, ms = self._sequence[symbol], self.now // 1_000_000
        self._sequence[symbol] += 1
        sides = []
        for sign in (-1, 1):
            places = range(LEVELS) if kind == "snapshot" else sorted(self._rng.sample(range(LEVELS), levels))
            sides.append(",".join(f'["{100 + sign * (k + 1)}.5","{self._rng.randint(1, 9)}.25"]' for k in places))
        data = f'{{"s":"{symbol}","b":[{sides[0]}],"a":[{sides[1]}],"u":{number},"seq":{number}}}'
        topic = f'"topic":"orderbook.200.{symbol}"'
        return f'{{{topic},"ts":{ms},"type":"{kind}","data":{data},"cts":{ms}}}'.encode()

    def second(self) -> float:
        """Let a second pass and give the CPU seconds a message; the frames are made before."""
        frames = []
        for _ in range(RATE):
            self.now += SECOND // RATE
            frames.append((self._frame(self._symbols[self._sent % len(self._symbols)], "delta", 2), self.now))
            self._sent += 1
        start = process_time()
        for number, (frame, now) in enumerate(frames, 1):
            self.session.frame(frame, now, now)
            if number % (RATE // TICKS) == 0:
                self.session.tick(now, now)
        return (process_time() - start) / RATE


def run(plan: Plan) -> list[Table]:
    """Measure workers with few and with many instruments in turn."""
    table = Table(
        "instruments",
        "instruments: CPU a message in an ingest worker, 36 and 360 of them",
        "Bybit deltas of 4 levels, round the instruments; whole books of the stream every 30 s of each",
        f"{RATE:,} frames and {TICKS} ticks for each second that passes; sessions in turn, second by second",
        "the first frame of a second is in memory",
        "all of its events made, all of its ticks done",
    )
    workers = {count: Worker(count) for count in COUNTS}
    gc.collect()
    gc.freeze()
    spent: dict[int, list[float]] = {count: [] for count in COUNTS}
    with watched() as host:
        while sum(map(sum, spent.values())) * RATE < plan.seconds(SECONDS):
            for count, worker in workers.items():
                spent[count].append(worker.second())
    for count, times in spent.items():
        ratios = [one / first for one, first in zip(times, spent[COUNTS[0]], strict=True)]
        mean_ratio = sum(times) / sum(spent[COUNTS[0]])
        figures = {"us a message": 1e6 * sum(times) / len(times), "times": mean_ratio, "times, median": median(ratios)}
        table.rows.append(Row(str(count), figures, host, {"times": Goal(1.3, 1.1)} if count != COUNTS[0] else {}))
    return [table]
