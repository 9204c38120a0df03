"""What a simulated venue keeps: connections, instruments, topics; and what it wants sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.market import Market, Step, Trade

if TYPE_CHECKING:
    from simulator.tamper import Armed

RECENT_TRADES = 50  # kept for the venues that show the latest trades to a new subscriber
BOOK = "book"
TRADES = "trades"


@dataclass(slots=True, eq=False)
class Client:
    """One connection to one venue.

    `counter` numbers the frames sent where the venue numbers a connection's frames; `options` is the dialect's own.
    """

    number: int
    venue: str
    path: str
    ts_opened: int
    topics: dict[str, Topic] = field(default_factory=dict)
    counter: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    ts_sent: int = 0
    ts_idle: int = 0  # since when, at the latest, nothing has been subscribed
    silent: bool = False  # a fault: the socket is open and nothing is sent on it any more
    wordless: bool = False  # a fault: only answers and heartbeats are sent
    muted: set[str] = field(default_factory=set)  # a fault: topics that say nothing until subscribed to again
    late: Lateness | None = None  # a fault: everything arrives later and later
    backlog: deque[tuple[int, Effect]] = field(default_factory=deque)  # what is under way, and when it arrives
    ending: bool = False  # it was told to close, or cut

    def hears(self, topic: str) -> bool:
        """Tell whether anything of a topic would be sent to it."""
        return not self.silent and not self.wordless and topic not in self.muted


@dataclass(frozen=True, slots=True)
class Lateness:
    """A delay that grows evenly from nothing to `most_ns` between two instants."""

    start: int
    end: int
    most_ns: int

    def arrival(self, now: int) -> int:
        """Give when what is sent now arrives."""
        return now + self.most_ns * (now - self.start) // (self.end - self.start) if now < self.end else now


@dataclass(frozen=True, slots=True)
class Close:
    """The wish to end a connection: with a close frame, or, without a code, by dropping TCP."""

    code: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ping:
    """The wish to send a WebSocket ping with the instant in it."""

    ts: int


@dataclass(frozen=True, slots=True)
class Raw:
    """One WebSocket frame as it stands: its opcode (1 text, 2 binary) and whether its first reserved bit is set."""

    payload: bytes
    opcode: int
    reserved: bool = False


Effect = bytes | Close | Ping | Raw


@dataclass(slots=True)
class Frame:
    """One frame of a topic, the same for all its subscribers but for what the dialect's `render` adds.

    `before` is what a consumer holds that has read everything so far; only venues without a sequence set it.
    """

    body: bytes
    tail: bytes = b""
    before: Any = None
    after: Any = None


@dataclass(slots=True, eq=False)
class Desk:
    """One instrument at one venue: its market, its topics, its counters.

    `sequence` counts book changes where the venue numbers them per instrument. `ts_event` is the last book time stated.
    """

    market: Market
    interval: int  # ns between steps of the market
    topics: dict[str, Topic] = field(default_factory=dict)
    sequence: int = 0
    ts_event: int = 0
    due: int = 0  # when the next step is
    listed: bool = True
    lie: Callable[[bytes], bytes] | None = None  # a fault: what is made of every book frame
    recent: deque[tuple[Trade, int]] = field(default_factory=lambda: deque(maxlen=RECENT_TRADES))

    @property
    def instrument(self) -> str:
        """Give our name of the instrument."""
        return self.market.listing.instrument

    @property
    def symbol(self) -> str:
        """Give the venue's spelling."""
        return self.market.listing.symbol

    def stamp(self, now: int, grain: int) -> int:
        """Give a book time for a new frame: now, cut to the grain, yet later than any before."""
        self.ts_event = max(now // grain * grain, self.ts_event + grain)
        return self.ts_event

    def carriers(self) -> list[Client]:
        """Give the connections that carry its book."""
        found = {c.number: c for topic in self.topics.values() if topic.kind == BOOK for c in topic.clients.values()}
        return list(found.values())

    def watched(self) -> bool:
        """Tell whether anyone is subscribed to the book."""
        return any(topic.kind == BOOK and topic.clients for topic in self.topics.values())


@dataclass(slots=True, eq=False)
class Topic:
    """One thing that can be subscribed to, with what has happened since its last frame."""

    name: str
    kind: str  # BOOK or TRADES
    desk: Desk
    interval: int  # least ns between frames; 0 for a frame at once
    depth: int | None = None  # levels a side the feed shows; None for all
    clients: dict[int, Client] = field(default_factory=dict)
    sequence: int = 0  # where the venue numbers the frames of a topic
    due: int = 0
    bids: set[int] = field(default_factory=set)
    asks: set[int] = field(default_factory=set)
    trades: list[Trade] = field(default_factory=list)
    view: Any = None  # what subscribers were last shown, where the dialect needs it
    armed: list[Armed] = field(default_factory=list)  # faults that wait for a frame of this topic

    def heard(self) -> bool:
        """Tell whether anyone would receive a frame of it."""
        return any(client.hears(self.name) for client in self.clients.values())

    def others(self, client: Client) -> list[Client]:
        """Give the other connections that carry it."""
        return [other for other in self.clients.values() if other is not client]

    def collect(self, step: Step) -> None:
        """Add what a step did."""
        if self.kind == BOOK:
            self.bids |= step.bids
            self.asks |= step.asks
        else:
            self.trades += step.trades

    def pending(self) -> bool:
        """Tell whether anything has happened since the last frame."""
        return bool(self.bids or self.asks or self.trades)

    def clear(self) -> None:
        """Forget what has happened; it is in a frame now."""
        self.bids = set()
        self.asks = set()
        self.trades = []

    def changes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Give the changed bids and asks as (price, size now), best first; size 0 where the level is gone."""
        market = self.desk.market
        bids = [(price, market.bids.sizes.get(price, 0)) for price in sorted(self.bids, reverse=True)]
        asks = [(price, market.asks.sizes.get(price, 0)) for price in sorted(self.asks)]
        return bids, asks
