"""Frames of the fact sheets' shapes, and messages that can be compared whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.venue import BookUpdate, Message, Reader, Venue

FRAMES = Path(__file__).parents[2] / "frames"
MS = 1_000_000  # ns


def frames(venue: str, case: str) -> list[bytes]:
    """The frames of a case, as they would come from the venue."""
    return (FRAMES / venue / f"{case}.jsonl").read_bytes().splitlines()


def scales(symbol: str) -> tuple[int, int] | None:
    """Two instruments as venues spell them, with units unlike the default so that a mixed-up scale shows."""
    bitcoin = {"BTCUSDT", "BTC-USDT", "BTC_USDT", "BTC/USD", "BTC-USD", "BTC_USD", "tBTCUST", "btcusdt"}
    return (2, 8) if symbol in bitcoin else {"ETHUSDT": (4, 6)}.get(symbol)


def plain(message: Message) -> Message:
    """A message whose levels are lists, so that `==` compares them."""
    if isinstance(message, BookUpdate):
        return replace(message, bids=message.bids.tolist(), asks=message.asks.tolist())
    return message


def reader_of(venue: Venue) -> Reader:
    """What reads a connection that has brought the venue's control frames, if that makes a difference."""
    reader = venue.new_reader()
    for line in frames(venue.name, "control") if venue.reader else ():
        reader.decode(line, scales)
    return reader


def decoded(venue: Venue, *lines: bytes) -> list[Message]:
    """The messages of some frames of one connection, comparable."""
    reader = reader_of(venue)
    return [plain(message) for line in lines for message in reader.decode(line, scales).messages]


def book(symbol: str, whole: bool, bids: list[list[int]], asks: list[list[int]], **more: Any) -> BookUpdate:
    """A comparable book update."""
    return BookUpdate(symbol, whole, bids, asks, **more)  # type: ignore[arg-type]
