"""cryptofeed's side of the comparison, run by its own Python: `theirs.py VENUE FRAMES`, then a line of seconds a slice.

FRAMES is JSON: `groups` of frames as text, each `whole` or changes; `answers` to REST requests by URL. For each line
read, changes are played for that many seconds of CPU, whole books besides; frames and CPU seconds are printed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import BinanceUS, Bybit, Coinbase, Kraken

FEEDS = {"binance": BinanceUS, "bybit": Bybit, "coinbase": Coinbase, "kraken": Kraken}
OPTIONS = {"kraken": {"checksum_validation": True, "max_depth": 25}}
ADDRESSES = {"bybit": "wss://stream.bybit.com/v5/public/spot"}


async def best(book: Any, _received: float) -> None:
    """Read the best bid and offer of a book that has changed."""
    for side in (book.book.bids, book.book.asks):
        if len(side):
            side.index(0)


class Answers:
    """The recorded answers in place of HTTP."""

    def __init__(self, answers: dict[str, str]) -> None:
        self._answers = answers

    def find(self, url: str) -> str:
        """Give what was recorded for a URL, by what follows its last slash; else an empty list of symbols."""
        tail = "/" + url.rpartition("/")[2]
        empty = '{"retCode": 0, "result": {"category": "linear", "list": []}}'
        return next((text for known, text in self._answers.items() if known.endswith(tail)), empty)

    def read_now(self, url: str, **_options: Any) -> Any:
        """Answer the request for symbols."""
        return json.loads(self.find(url))

    async def read(self, url: str, **_options: Any) -> str:
        """Answer the request for a whole book."""
        symbol = url.partition("symbol=")[2].partition("&")[0]
        return next(text for known, text in self._answers.items() if f"symbol={symbol}&" in f"{known}&")


def feed(venue: str, answers: Answers, callback: Any = best) -> Any:
    """Make a feed that knows the venue's symbols."""
    kind = FEEDS[venue]
    kind.http_sync = SimpleNamespace(read=answers.read_now)
    symbols = list(kind.symbol_mapping())[:1]
    made = kind(symbols=symbols, channels=[L2_BOOK], callbacks={L2_BOOK: callback}, **OPTIONS.get(venue, {}))
    made.http_conn = answers
    return made


async def play(venue: str, found: dict[str, Any]) -> None:
    """Play slices as they are asked for."""
    answers = Answers(found["answers"])
    connection = SimpleNamespace(address=ADDRESSES.get(venue, ""), uuid=venue)
    for line in sys.stdin:
        frames, spent = 0, 0.0
        while spent < float(line):
            handler = feed(venue, answers).message_handler
            for group in found["groups"]:
                start = time.process_time()
                for frame in group["frames"]:
                    await handler(frame, connection, 0.0)
                if not group["whole"]:
                    frames, spent = frames + len(group["frames"]), spent + time.process_time() - start
        print(frames, spent, flush=True)


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
