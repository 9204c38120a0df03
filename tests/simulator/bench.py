"""A world without sockets or clock: requests in, frames out, and the oracle's word on every book position."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from simulator.dialect import Reply
from simulator.exchange import Exchange
from simulator.faults import Record, Script
from simulator.topic import Client, Close, Ping, Raw
from simulator.venues import DIALECTS
from simulator.world import World
from tests.simulator.consumers import Binance, Bybit, Coinbase, Consumer, Kraken, Position
from thalweg.instruments import load_instruments

START = 1_790_000_000_000_000_000
CONSUMERS: dict[str, type[Consumer]] = {"binance": Binance, "bybit": Bybit, "kraken": Kraken, "coinbase": Coinbase}
PATHS = {venue: DIALECTS[venue].paths[0] for venue in CONSUMERS}
SYMBOLS = {"binance": "BTCUSDT", "bybit": "BTCUSDT", "kraken": "BTC/USDT", "coinbase": "BTC-USDT"}


class Bench:
    """One venue and a few instruments; `run` lets simulated time pass."""

    def __init__(self, venue: str, instruments: Iterable[str] = ("BTC-USDT", "ETH-USDT"), seed: int = 1) -> None:
        self.venue = venue
        chosen = load_instruments().only(instruments, [venue])
        self.now = START
        self.world = World(chosen, rate=200.0, seed=seed, script=Script(), now=START, venues=[venue])
        self.exchange: Exchange = self.world.exchanges[venue]
        self.truth: dict[tuple[str, str], int] = {}
        self.clients = 0
        self.heard: dict[int, list[str]] = {}
        self.ends: list[tuple[int, Close | Ping | Raw]] = []

    def connect(self, path: str | None = None) -> Client:
        self.clients += 1
        client = self.exchange.connect(self.clients, path or self.exchange.dialect.paths[0], self.now)
        self.heard[client.number] = []
        self._collect()
        return client

    def say(self, client: Client, request: Any) -> list[Any]:
        """Send a request; gives the frames it brought this client at once."""
        before = len(self.heard[client.number])
        text = request if isinstance(request, str) else json.dumps(request)
        self.exchange.receive(client, text, self.now)
        self._collect()
        return [json.loads(text) for text in self.heard[client.number][before:]]

    def get(self, path: str, **query: str) -> Reply:
        assert self.exchange.dialect.respond is not None
        reply = self.exchange.dialect.respond(self.exchange, path, query, self.now)
        assert reply is not None
        self._collect()
        return reply

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 5):
            self.now += 5_000_000
            self.world.advance(self.now)
            self._collect()

    def frames(self, client: Client) -> list[str]:
        """Give what a client has heard since the last call."""
        frames, self.heard[client.number] = self.heard[client.number], []
        return frames

    def subscribe(self, client: Client, *symbols: str) -> None:
        """Subscribe to book and trades, as our ingest does."""
        for request in subscriptions(self.venue, symbols or tuple(self.exchange.by_symbol)):
            self.say(client, request)

    def fault(self, kind: str, **more: Any) -> None:
        self.world.inject({"kind": kind, "venue": self.venue, **more}, self.now)

    @property
    def faults(self) -> list[Record]:
        return self.world.log.records

    def confirm(self, reached: list[Position]) -> int:
        """Check positions against the oracle; gives how many there were."""
        for symbol, key, digest in reached:
            name = self.exchange.by_symbol[symbol].instrument
            assert self.truth[name, key] == digest, (name, key)
        return len(reached)

    def _collect(self) -> None:
        for client, effect in self.exchange.outbox:
            if isinstance(effect, bytes):
                self.heard[client.number].append(effect.decode())
            else:
                self.ends.append((client.number, effect))
        self.exchange.outbox = []
        text = self.world.oracle.drain()
        for _, name, key, digest in json.loads(text)["o"] if text else ():
            self.truth[name, key] = digest


def subscriptions(venue: str, symbols: Iterable[str]) -> list[dict[str, Any]]:
    names = list(symbols)
    if venue == "binance":
        params = [f"{name.lower()}@{kind}" for name in names for kind in ("depth@100ms", "trade")]
        return [{"method": "SUBSCRIBE", "params": params, "id": 1}]
    if venue == "bybit":
        topics = [f"{kind}.{name}" for name in names for kind in ("orderbook.200", "publicTrade")]
        return [{"op": "subscribe", "args": topics[at : at + 10]} for at in range(0, len(topics), 10)]
    if venue == "kraken":
        wanted = [{"channel": "book", "depth": 25}, {"channel": "trade", "snapshot": False}]
        return [{"method": "subscribe", "params": {**one, "symbol": names}} for one in wanted]
    channels = [{"type": "subscribe", "channel": one, "product_ids": names} for one in ("level2", "market_trades")]
    return [{"type": "subscribe", "channel": "heartbeats"}, *channels]
