"""The client that `thalweg up` keeps at its own gateway: sees what a browser sees, and counts it.

It subscribes to `status` and to the consolidated ladder and the trades of every instrument. For each of those
variants, from its first frame at `a` to its last at `b`:  b - a == merged + skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from thalweg.conserve import check_variant
from thalweg.instruments import Instruments

SUBPROTOCOL = Subprotocol("thalweg.v1+json")
RETRY_S = 0.1  # between attempts while the gateway starts
CHANNELS_A_REQUEST = 64  # keeps a request below the protocol's 16 KiB
DEPTH = 25
MAX_FRAME = 16 * 2**20
MAX_BREAKS = 10  # kept for the report


@dataclass(slots=True)
class Variant:
    """How far one subscribed channel has come; `first` and `last` are out sequences."""

    first: int
    last: int
    merged: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Subscriber:
    """What the client has seen. `states` is by (venue, instrument); `breaks` are frames that did not continue."""

    instruments: Instruments
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    all_live: asyncio.Event = field(default_factory=asyncio.Event)
    all_live_at: float | None = None
    connections: int = 0

    @property
    def books(self) -> int:
        """How many books are configured."""
        return sum(len(one.symbols) for one in self.instruments.by_name.values())

    @property
    def live(self) -> int:
        """How many books are live by the last status heard."""
        return sum(state == "live" for state in self.states.values())

    async def run(self, url: str) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                async with connect(url, subprotocols=[SUBPROTOCOL], max_size=MAX_FRAME, proxy=None) as socket:
                    self.connections += 1
                    self.answered.set()
                    await self._listen(socket)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                pass
            self.states.clear()
            await asyncio.sleep(RETRY_S)

    async def _listen(self, socket: ClientConnection) -> None:
        for number, channels in enumerate(self._requests()):
            wish = {"op": "subscribe", "id": number, "ch": channels, "depth": DEPTH, "rate_ms": 100}
            await socket.send(orjson.dumps(wish).decode())
        async for text in socket:
            for line in text.splitlines() if isinstance(text, str) else ():
                if line:
                    self.take(orjson.loads(line), monotonic())

    def _requests(self) -> list[list[str]]:
        names = list(self.instruments.by_name)
        channels = ["status", *(f"cbook:{name}" for name in names), *(f"trades:*:{name}" for name in names)]
        return [channels[at : at + CHANNELS_A_REQUEST] for at in range(0, len(channels), CHANNELS_A_REQUEST)]

    def take(self, message: dict[str, Any], now: float) -> None:
        """Take one message of the protocol; `now` is a monotonic instant in seconds."""
        match message.get("t"):
            case "status" if "ex" in message:
                self.states[message["ex"], message["sym"]] = message["st"]
                if self.live == self.books and not self.all_live.is_set():
                    self.all_live_at = now
                    self.all_live.set()
            case "snap":
                self._jump(message["ch"], message["s"])
            case "d" | "trades":
                self._step(message)
            case "ack" if message.get("err"):
                self._break(f"subscription refused: {message['err']}")

    def _jump(self, channel: str, s: int) -> None:
        """Take a whole ladder: the start of a variant, or a jump over what was not sent."""
        one = self.variants.setdefault(channel, Variant(s, s))
        one.skipped += s - one.last
        one.last = s

    def _step(self, message: dict[str, Any]) -> None:
        """Take a frame that continues its variant."""
        channel, s, p = message["ch"], message["s"], message["p"]
        one = self.variants.get(channel)
        if one is None:  # trades begin without a snapshot, from wherever the gateway had come by then
            one = self.variants[channel] = Variant(s - message["n"], p)
        if p != one.last:
            self._break(f"{channel}: a frame from {p} to {s} after {one.last}")
        one.merged += message["n"]
        one.skipped += message.get("gap", 0)
        one.last = s

    def _break(self, text: str) -> None:
        if len(self.breaks) < MAX_BREAKS:
            self.breaks.append(text)

    def caught_up(self, heads: dict[str, int]) -> bool:
        """Tell whether every ladder has come as far as the `out:` streams' heads."""
        channels = ((f"cbook:{name}", head) for name, head in heads.items())
        return all(name in self.variants and self.variants[name].last >= head for name, head in channels)

    def violations(self) -> list[str]:
        """Give where the subscriber's equation does not hold, as sentences."""
        found = list(self.breaks)
        for name, one in self.variants.items():
            found += check_variant(name, one.first, one.last, one.merged, one.skipped)
        return found

    def report(self) -> dict[str, int]:
        """Give the sums for the summary."""
        merged = sum(one.merged for one in self.variants.values())
        return {"count": 1, "merged": merged, "skipped": sum(one.skipped for one in self.variants.values())}


def missing(subscriber: Subscriber) -> Sequence[str]:
    """Name the books that are not live, with the state last heard."""
    books = [(venue, name) for name, one in subscriber.instruments.by_name.items() for venue in one.symbols]
    states = ((venue, name, subscriber.states.get((venue, name), "unknown")) for venue, name in books)
    return [f"{venue}:{name} {state}" for venue, name, state in states if state != "live"]
