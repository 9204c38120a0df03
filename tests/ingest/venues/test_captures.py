"""Frames recorded at the venues decode: none is bad, none refused, and what we do not use is known by name."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.venue import BookUpdate, Ignored, Refused, TradeUpdate
from ingest.venues import VENUES
from thalweg.capture import Line, parse_line

CASES = [
    ("binance", "binance-us.jsonl.gz", 336, 0, {"bookTicker": 128, "aggTrade": 11, "kline": 5}),
    ("bybit", "bybit-spot.jsonl.gz", 550, 20, {"tickers": 81, "kline": 25}),
    ("coinbase", "coinbase-advanced.jsonl.gz", 304, 242, {"ticker": 66, "candles": 4}),
    ("kraken", "kraken-btcusd-d25.jsonl.gz", 2_052, 0, {}),
]
BY_CASE = pytest.mark.parametrize(
    ("name", "file", "books", "trades", "ignored"), CASES, ids=[case[0] for case in CASES]
)


def lines(path: Path) -> Iterator[Line]:
    with gzip.open(path) as opened:
        yield from filter(None, map(parse_line, opened))


def eight(symbol: str) -> tuple[int, int]:
    return 8, 8


@BY_CASE
def test_every_frame_decodes(
    captures: Path, name: str, file: str, books: int, trades: int, ignored: dict[str, int]
) -> None:
    venue, counts, unused = VENUES[name], Counter[type](), Counter[str]()
    sequences = []
    for line in lines(captures / file):
        if line.direction == "<":
            decoded = venue.decode(line.data, eight)
            sequences.append(decoded.connection_sequence)
            counts.update(map(type, decoded.messages))
            unused.update(message.type for message in decoded.messages if isinstance(message, Ignored))
    assert (counts[BookUpdate], counts[TradeUpdate], counts[Refused]) == (books, trades, 0)
    assert unused == ignored
    assert sequences == (list(range(len(sequences))) if name == "coinbase" else [None] * len(sequences))


@BY_CASE
def test_every_answer_by_http_is_read(
    captures: Path, name: str, file: str, books: int, trades: int, ignored: dict[str, int]
) -> None:
    venue = VENUES[name]
    for line in lines(captures / file):
        if line.direction == "h" and line.url:
            if venue.metadata and venue.metadata.matches(line.url):
                assert venue.metadata.decode(line.data)
            else:
                assert venue.rest_snapshot
                symbol = venue.rest_snapshot.symbol(line.url)
                assert symbol
                assert venue.rest_snapshot.decode(line.data, symbol, eight).last


def test_coinbase_trades_come_out_in_the_order_of_their_ids(captures: Path) -> None:
    ids: dict[str, list[int]] = {}
    for line in lines(captures / "coinbase-advanced.jsonl.gz"):
        if line.direction == "<":
            for message in VENUES["coinbase"].decode(line.data, eight).messages:
                if isinstance(message, TradeUpdate):
                    ids.setdefault(message.symbol, []).append(int(message.id))
    assert ids
    assert all(found == sorted(set(found)) for found in ids.values())
