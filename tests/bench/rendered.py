"""Frames that the simulator renders, for benches that are to run where no captures are."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from ingest.venue import RestSnapshot
from ingest.venues import VENUES
from simulator.exchange import Exchange
from simulator.faults import Script
from simulator.texts import MILLISECOND_NS, SECOND_NS
from simulator.world import DEFAULT_RATE, World
from tests.bench.replay import Replay, Step
from thalweg.instruments import load_instruments

START = 1_795_000_000 * SECOND_NS
TURN_NS = 5 * MILLISECOND_NS
FRAMES = 2_000  # a venue: as many as the longest capture has
SECONDS = 300  # of the markets' own time, at most
SEED = 1
BASES = ("BTC", "ETH")  # the captures hold one to four books each
SYMBOLS = {  # what a consumer asks to learn the symbols, as cryptofeed spells it
    "binance": "/api/v3/exchangeInfo",
    "bybit": "/v5/market/instruments-info?&category=spot&status=Trading&limit=1000",
    "coinbase": "/api/v3/brokerage/market/products",
}


def from_simulator(venue: str) -> Replay:
    """Give what one connection to a simulated venue brings; the same each time."""
    found, listed = VENUES[venue], load_instruments()
    world = World(listed, DEFAULT_RATE, SEED, Script(), START)  # all of it, so that markets are as busy as in the demo
    exchange = world.exchanges[venue]
    symbols = [symbol for symbol, desk in exchange.by_symbol.items() if desk.instrument.split("-")[0] in BASES]
    answers = {url: _answer(exchange, url, START) for url in SYMBOLS.values() if url == SYMBOLS.get(venue)}
    client = exchange.connect(1, exchange.dialect.paths[0], START)
    for text in found.subscribe(symbols):
        exchange.receive(client, text, START)
    replay = Replay(found, [], answers)
    _fill(replay, world, exchange, found.rest_snapshot, symbols)
    return replay


def _fill(replay: Replay, world: World, exchange: Exchange, rest: RestSnapshot | None, symbols: list[str]) -> None:
    """Let the markets move; a book that must be fetched is fetched when its symbol is first fed."""
    unfetched = [] if rest is None else list(symbols)
    for now in range(START, START + SECONDS * SECOND_NS, TURN_NS):
        world.advance(now)
        sent, exchange.outbox = exchange.outbox, []
        for frame in (effect for _, effect in sent if isinstance(effect, bytes)):
            replay.steps.append(Step(frame, now))
            for symbol in [one for one in unfetched if rest and f'"s":"{one}"'.encode() in frame]:
                unfetched.remove(symbol)
                url = rest.url("", symbol) if rest else ""
                replay.answers[url] = _answer(exchange, url, now)
                replay.steps.append(Step(replay.answers[url], now, symbol))
        if len(replay.steps) >= FRAMES:
            return


def _answer(exchange: Exchange, url: str, now: int) -> bytes:
    """Give the body of the venue's answer.

    Raises:
        ValueError: it has none.
    """
    parts = urlsplit(url)
    reply = exchange.respond(parts.path, dict(parse_qsl(parts.query)), now)
    if reply is None:
        raise ValueError(f"{exchange.dialect.venue} does not answer {url}")
    return reply.body
