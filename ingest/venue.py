"""The seam to a venue: what its one file must give, and the messages its decoder makes of frames.

A venue's file holds facts and pure functions: where it is, what to send, how to read a frame, and which
continuity rule of `ingest.sequence` finds a loss. Everything that happens over time is in `ingest.session`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from thalweg.events import State, Taker
from thalweg.fixed import Levels

if TYPE_CHECKING:
    from ingest.scanning import Express
    from ingest.sequence import Rule

Scales: TypeAlias = Callable[[str], tuple[int, int] | None]
"""Symbol to (price decimals, size decimals); `None` for any text that is not a symbol of ours."""


@dataclass(slots=True)
class BookUpdate:
    """A whole book or changes to it, `(n, 2)` each; a whole book is best first.

    `shift`, for checksums over literal digits: the power of ten that turns units (price, size) into the digits the
    venue wrote, the largest of the update; -7 where it writes one place and units have eight.
    `depth` of a whole book: the levels a side that the feed keeps, where the frame tells; an ACK's word goes first.
    """

    symbol: str
    whole: bool
    bids: Levels
    asks: Levels
    first: int | None = None
    last: int | None = None
    ts_event: int | None = None
    checksum: int | None = None
    shift: tuple[int, int] = (0, 0)
    depth: int | None = None


@dataclass(slots=True)
class TradeUpdate:
    """One trade. `number` is its id where ids step by one; `history` marks what was sent only as a recap."""

    symbol: str
    price: int
    size: int
    taker: Taker
    id: str
    number: int | None
    ts_event: int | None
    history: bool = False


class Sign(StrEnum):
    """What a control frame says."""

    ACK = "ack"
    NACK = "nack"
    ALIVE = "alive"
    CLOSING = "closing"
    STATE = "state"
    WELCOME = "welcome"


@dataclass(slots=True)
class Control:
    """A frame about the connection: an answer, a heartbeat, a notice.

    ACK and NACK name the symbols they are about where the venue says so; `depth` is the book depth an ACK grants.
    STATE carries the state that the notice means for the symbols (all of them where none is named): HALTED, or
    SYNCING when a halt is over. `reply` is a frame that the venue wants in answer. WELCOME is what a venue that
    `greets` says first.
    """

    sign: Sign
    symbols: tuple[str, ...] = ()
    text: str = ""
    state: State | None = None
    depth: int | None = None
    reply: str | None = None


@dataclass(slots=True)
class Ignored:
    """A documented frame of a type we do not use, or a type we do not know; counted by name."""

    type: str


@dataclass(slots=True)
class Refused:
    """A book update or trade with a number or symbol we can't take; `reason` is a `NumberRefused` reason or says so.

    A refused book update may have changed the book, so it counts as a gap of that book.
    """

    symbol: str | None
    kind: str
    reason: str


Message: TypeAlias = BookUpdate | TradeUpdate | Control | Ignored | Refused


@dataclass(slots=True)
class Decoded:
    """A frame's messages in the venue's order, and the connection's own sequence where there is one.

    `fallbacks` is how many book updates the general decoder had to read because the scanners declined the frame.
    """

    messages: list[Message]
    connection_sequence: int | None = None
    fallbacks: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """What a venue's metadata says of a symbol; the places are of its price and size steps."""

    base: str
    quote: str
    price_decimals: int
    size_decimals: int
    trading: bool = True


@dataclass(frozen=True, slots=True)
class Capability:
    """How a loss is found at this venue, and down to which level that holds.

    `detector` is sequence, checksum, connection or none. `scope` is what one gap costs: the book or the connection.
    """

    detector: str
    verified_depth: int | None
    scope: str = "book"

    @property
    def verifies(self) -> bool:
        """Whether a loss is found at all."""
        return self.detector != "none"


@dataclass(frozen=True, slots=True)
class Keepalive:
    """`ping` is sent every `every_s`; a socket with no frame at all for `silence_s` is dead.

    `heartbeat_s` is how often the venue says something by itself, whatever its books do.
    """

    silence_s: float
    ping: str | None = None
    every_s: float = 20.0
    heartbeat_s: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of `most` that fills up once in `window_s`: no window sees more than twice as much."""

    most: int
    window_s: float


@dataclass(frozen=True, slots=True)
class RestSnapshot:
    """A venue whose whole books come by REST.

    `url(rest base, symbol)`; `symbol(url)` gives it back, `None` for other URLs; `decode(body, symbol, scales)`
    raises DecodeError; `unknown(status, body)` tells whether a refusal means that there is no such symbol. `weight` is
    what one request takes of the venue's `rest_limit`. `spare`: whole books come in band, and by REST only where one
    that was asked for did not.
    """

    url: Callable[[str, str], str]
    symbol: Callable[[str], str | None]
    decode: Callable[[bytes, str, Scales], BookUpdate]
    unknown: Callable[[int, bytes], bool] = lambda status, body: False
    weight: int = 1
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """A venue's list of symbols: `url(rest base)`, `matches(url)`, `decode(body)` by symbol, raising DecodeError.

    `weight` is what one request takes of the venue's `rest_limit`.
    """

    url: Callable[[str], str]
    matches: Callable[[str], bool]
    decode: Callable[[bytes], dict[str, Listing]]
    weight: int = 1


PATIENCE_S = 8.0  # in which a question is to be on its way: it is asked again after ten
RESUBSCRIPTION_FRAMES = 3


def unstamped(frame: str, ts_recv: int) -> str:
    """Give a frame as it is: most venues want no instant in it."""
    return frame


BACK_OFF_S: Mapping[int, float] = {429: 60.0, 418: 120.0, 403: 120.0}
"""How long a refused request means silence, by its status, where the venue does not say; a ban is two minutes."""


class Reader(Protocol):
    """What `decode` and `resubscribe` of a venue do, by one connection's own numbers; a `Venue` is one without any."""

    @property
    def decode(self) -> Callable[[bytes, Scales], Decoded]:
        """Turn one frame into messages."""
        ...

    @property
    def resubscribe(self) -> Callable[[str], list[str]]:
        """Give the frames that bring a fresh whole book of one symbol."""
        ...


@dataclass(frozen=True, slots=True)
class Venue:
    """All there is to know of a venue.

    `connect(ws base)` gives the URL; `subscribe(symbols)` the frames to send after connecting, books and trades;
    `resubscribe(symbol)` the frames that bring a fresh whole book of one symbol on the same socket (empty where
    `rest_snapshot` does that); `decode(frame, scales)` raises DecodeError. `pace_s` is the least time between frames
    we send; `max_age_s` how long a connection may live. `depth` is the book depth subscribed to, `None` for all.
    `rest_limit` and `connect_limit` are the requests (by weight) and connections that all workers of one address may
    make; `back_off_s` how long a refusal means silence, by HTTP status, where the venue does not say. `express` says
    what frames of changes look like that may take the express lane; `decode` reads all of them the same.

    What only some have: `greets`, a venue that is not to be spoken to before it has said its WELCOME; `stamp(frame,
    instant)` puts the instant into a frame that is sent; `most_requests` is how many frames, pings aside, one
    connection may send in its life; `reader()` makes the `Reader` of one connection, where books have numbers that
    were given to them there; `all_whole`: every book frame is a whole book, so what differs is told; `settle_s` is how
    long a new connection is left alone before the first request.
    """

    name: str
    ws: str
    rest: str | None
    capability: Capability
    depth: int | None
    keepalive: Keepalive
    connect: Callable[[str], str]
    subscribe: Callable[[Sequence[str]], list[str]]
    resubscribe: Callable[[str], list[str]]
    decode: Callable[[bytes, Scales], Decoded]
    rule: Callable[[], Rule]
    express: Express | None = None
    rest_snapshot: RestSnapshot | None = None
    metadata: Metadata | None = None
    pace_s: float = 0.05
    max_age_s: float | None = None
    max_frame: int = 16 * 2**20
    headers: Mapping[str, str] = field(default_factory=dict)
    rest_limit: Limit = Limit(5, 1.0)
    connect_limit: Limit = Limit(10, 10.0)
    back_off_s: Mapping[int, float] = field(default_factory=lambda: BACK_OFF_S)
    greets: bool = False
    stamp: Callable[[str, int], str] = unstamped
    most_requests: int | None = None
    reader: Callable[[], Reader] | None = None
    all_whole: bool = False
    settle_s: float = 0.0

    def new_reader(self) -> Reader:
        """Give what reads a new connection."""
        return self.reader() if self.reader else self

    @property
    def by_rest(self) -> bool:
        """Whether whole books come by REST, and never in band."""
        return self.rest_snapshot is not None and not self.rest_snapshot.spare

    @property
    def answers_at_once(self) -> int:
        """How many books may be asked for again at once on one socket, so that all are sent for in time."""
        return max(2, int(PATIENCE_S / (RESUBSCRIPTION_FRAMES * self.pace_s)))
