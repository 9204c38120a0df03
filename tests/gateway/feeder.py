"""A gateway process, and publications put into Redis by hand as an aggregator would put them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Self

import numpy as np
import redis

from thalweg.cli.embedded import free_port
from thalweg.events import State, Taker
from thalweg.keys import HEARTBEAT, book, out, status
from thalweg.publication import Kind, Publication, PublishedTrade, Stamps, VenueLine, encode_publication

EPOCH = 1_700_000_000_000
DECIMALS = 8
BEAT_S = 0.2
QUIET_S = 1.0
Side = Mapping[str, str]


def units(text: str) -> int:
    return int(Decimal(text).scaleb(DECIMALS))


class Feeder:
    """Publishes one instrument's key records and beats like an aggregator of it and `others` while it is entered."""

    def __init__(self, url: str, instrument: str, venues: Sequence[str], others: Sequence[str] = ()) -> None:
        self.instrument, self.venues = instrument, list(venues)
        self.lines = {venue: VenueLine(venue, State.LIVE, 0, 1, since=time.time_ns()) for venue in venues}
        self.books: dict[str, tuple[Side, Side]] = {venue: ({}, {}) for venue in venues}
        self._heads = dict.fromkeys(others, 0)
        self._redis = redis.Redis.from_url(url)
        self._seq = 0
        self._traded = 0
        self._published_at = 0.0
        self._publishing = threading.Lock()
        self._stopped = threading.Event()
        self._beating = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._beating.join()
        self._redis.close()

    def _beat(self) -> None:
        """Beat, and publish each second also when nothing changes: an instrument that does not is stale."""
        while not self._stopped.wait(BEAT_S):
            if self._seq and time.monotonic() - self._published_at > QUIET_S:
                self.publish()
            heads = self._heads | {self.instrument: self._seq}
            self._redis.publish(HEARTBEAT, json.dumps({"heads": heads, "trouble": None}))

    def guard(self, venue: str, detector: str, verified_depth: int) -> None:
        """Say what finds a loss in a venue's feed, as its worker does."""
        fields: dict[str, str | int] = {"detector": detector, "verified_depth": verified_depth}
        self._redis.hset(status(self.instrument, venue), mapping=fields)  # type: ignore[arg-type]  # invariant in the stubs

    def judge(self, venue: str, state: State, reason: str) -> None:
        line = self.lines[venue]
        line.state, line.reason, line.since = state, reason, time.time_ns()

    def publish(self, *trades: tuple[str, Taker, str, str]) -> None:
        """Publish the books as they are, with trades of (venue, taker, price, size)."""
        with self._publishing:
            self._publish(trades)

    def _publish(self, trades: Sequence[tuple[str, Taker, str, str]]) -> None:
        self._seq += 1
        self._published_at = time.monotonic()
        now = time.time_ns()
        for line in self.lines.values():
            line.ts_book = now
        rows = [
            (2 * at + side, units(price), units(size))
            for at, venue in enumerate(self.venues)
            for side, levels in enumerate(self.books[venue])
            for price, size in levels.items()
        ]
        record = encode_publication(
            Publication(
                Kind.KEY,
                self.instrument,
                self._seq,
                EPOCH,
                DECIMALS,
                DECIMALS,
                stamps=Stamps(now, now, now, now, now, now, now),
                venues=list(self.lines.values()),
                changes=np.array(rows, dtype=np.int64).reshape(-1, 3),
                trades=[self._trade(*trade, now) for trade in trades],
            )
        )
        self._redis.xadd(out(self.instrument), {"r": record}, id=f"{EPOCH}-{self._seq}")
        self._redis.publish(book(self.instrument), record)

    def _trade(self, venue: str, taker: Taker, price: str, size: str, now: int) -> PublishedTrade:
        self._traded += 1
        return PublishedTrade(self.venues.index(venue), taker, units(price), units(size), str(self._traded), now, now)


class GatewayProcess:
    """`python -m gateway` on a free port; `address` is that of its page."""

    def __init__(self, redis_url: str, instruments: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        settings = {"REDIS_URL": redis_url, "THALWEG_PORT": str(self.port), "THALWEG_ONLY": ",".join(instruments)}
        self._environment = os.environ | settings | dict(more or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "gateway"], env=self._environment)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "the gateway ended"
            assert time.monotonic() < deadline, "the gateway does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.address + "healthz", timeout=1) as answer:  # noqa: S310 - our own address, http alone
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def stop(self) -> None:
        """Stop as an operator does; whoever does not within 5 s is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
