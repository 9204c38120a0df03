"""A client of the gateway: keeps what a browser would show, and when each book was told to be what."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from tests.chaos.invariants import Tally

DEPTH = 25
RETRY_S = 0.1
SILENT_S = 5.0  # as the protocol says: who hears nothing for so long connects again
Levels: TypeAlias = dict[str, dict[str, str]]  # price to venue to size
Book: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Shown:
    """What the client showed at a sequence: venues it called live, and both sides by price and venue."""

    instrument: str
    seq: int
    live: frozenset[str]
    sides: tuple[Levels, Levels]


@dataclass(slots=True)
class _Ladder:
    seq: int | None = None
    sides: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))


class Client:
    """Follows the ladders and the status until cancelled, through anything."""

    def __init__(self, names: tuple[str, ...], tally: Tally) -> None:
        self.shown: deque[Shown] = deque()
        self.states: dict[Book, str] = {}
        self.parts: dict[str, str] = {}
        self.told: deque[tuple[float, str, str, str]] = deque()
        """(monotonic instant, venue or `sys`, instrument or part, state); a cut is `sys`, `client`, `down`."""
        self.connections = 0
        self._names = names
        self._tally = tally
        self._ladders: dict[str, _Ladder] = {}

    async def run(self, url: str) -> None:
        """Stay connected."""
        while True:
            try:
                protocols = [Subprotocol("thalweg.v1+json")]
                async with connect(url, subprotocols=protocols, max_size=2**24, proxy=None, open_timeout=2) as socket:
                    self.connections += 1
                    await self._listen(socket)
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError):
                pass
            self.told.append((monotonic(), "sys", "client", "down"))
            self.states.clear()
            self._ladders.clear()
            await asyncio.sleep(RETRY_S)

    async def _listen(self, socket: ClientConnection) -> None:
        channels = ["status", *(f"cbook:{name}" for name in self._names)]
        await socket.send(json.dumps({"op": "subscribe", "id": 1, "ch": channels, "depth": DEPTH, "rate_ms": 100}))
        while True:
            async with asyncio.timeout(SILENT_S):
                text = await socket.recv()
            now = monotonic()
            for line in text.splitlines() if isinstance(text, str) else ():
                if line:
                    self.take(json.loads(line), now)

    def take(self, message: dict[str, Any], now: float) -> None:
        """Take one message of the protocol."""
        match message.get("t"):
            case "status" if "ex" in message:
                self.states[message["ex"], message["sym"]] = message["st"]
                self.told.append((now, message["ex"], message["sym"], message["st"]))
            case "status" if "sys" in message:
                self.parts[message["sys"]] = message["st"]
                self.told.append((now, "sys", message["sys"], message["st"]))
            case "snap":
                self._ladders[message["ch"]] = _Ladder(message["s"], (_levels(message["b"]), _levels(message["a"])))
                self._show(message)
            case "d":
                self._change(message)

    def _change(self, message: dict[str, Any]) -> None:
        ladder = self._ladders.get(message["ch"])
        if ladder is None or ladder.seq != message["p"]:
            at = ladder.seq if ladder else None
            self._tally.say("I10", f"{message['ch']}: from {message['p']} to {message['s']}, and the client is at {at}")
            return
        for side, changes in zip(ladder.sides, (message["b"], message["a"]), strict=True):
            for price, size, *by in changes:
                if size == "0":
                    side.pop(price, None)
                else:
                    side[price] = by[0]
        ladder.seq = message["s"]
        self._show(message)

    def _show(self, message: dict[str, Any]) -> None:
        """Keep a copy of what is shown now, to be compared with the publications."""
        channel = message["ch"]
        ladder = self._ladders[channel]
        states = message["v"]
        live = frozenset(venue for venue, said in states.items() if said["st"] == "live")
        quoted = {venue for side in ladder.sides for by in side.values() for venue in by}
        if quoted - live:
            self._tally.say("I10", f"{channel} at {ladder.seq}: quotes {sorted(quoted - live)}, told not to be live")
        if ladder.seq is not None:
            copies = (dict(ladder.sides[0]), dict(ladder.sides[1]))
            self.shown.append(Shown(channel.removeprefix("cbook:"), ladder.seq, live, copies))


def _levels(levels: list[list[Any]]) -> Levels:
    return {price: by[0] for price, _, *by in levels}
