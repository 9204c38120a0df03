"""What channels bring: books, best prices, trades, states and latencies."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gateway.shapes.fields import (
    ChannelName,
    Checksum,
    DecimalText,
    Duration,
    Epoch,
    Flags,
    LevelText,
    Merged,
    Micros,
    Resumed,
    Sequence,
    TradeText,
)


class Stamps(TypedDict):
    """Where the oldest input of the newest publication was when; absent where there is none."""

    x: NotRequired[Annotated[int, "the venue's own"]]
    r: NotRequired[Annotated[int, "read from the venue's socket"]]
    w: NotRequired[Annotated[int, "appended to the stream"]]
    a: NotRequired[Annotated[int, "applied in the aggregator"]]
    p: NotRequired[Annotated[int, "published"]]
    g: Annotated[int, "the gateway's tick"]


class QuoteText(TypedDict):
    """The best bid and offer of all live books; the mid is exact, microprice and imbalance are rounded."""

    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    spread: DecimalText | None
    mid: DecimalText | None
    micro: DecimalText | None
    imbalance: DecimalText | None
    crossed: bool


class VenueText(TypedDict):
    """A venue's standing in a ladder."""

    st: str
    fl: Flags
    age_ms: int | None


class BestText(TypedDict):
    """A venue's best bid and offer, whatever its state."""

    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    st: str
    fl: Flags
    age_ms: int | None


class Standing(TypedDict):
    """What every message about a book says beside its levels; `v` and `q` are those of a ladder alone."""

    ts: Stamps
    st: str
    fl: Flags
    v: NotRequired[dict[str, VenueText]]
    q: NotRequired[QuoteText]


class Snap(Standing):
    """The whole book; it replaces everything."""

    t: Literal["snap"]
    ch: ChannelName
    e: Epoch
    s: Sequence
    b: list[LevelText]
    a: list[LevelText]
    crc: Checksum


class Delta(Standing):
    """The levels that changed, with their new sizes; to be applied to the book at `p` alone."""

    t: Literal["d"]
    ch: ChannelName
    s: Sequence
    p: Sequence
    n: Merged
    b: list[LevelText]
    a: list[LevelText]
    e: NotRequired[Annotated[int, "the epoch, where it is another one than before"]]
    crc: NotRequired[Checksum]
    resumed: NotRequired[Resumed]


class Best(TypedDict):
    """Every venue's best bid and offer and the consolidated quote; the latest says it all."""

    t: Literal["bbo"]
    ch: ChannelName
    e: Epoch
    s: Sequence
    p: Sequence
    n: Merged
    v: dict[str, BestText]
    q: QuoteText
    resumed: NotRequired[Resumed]


class Trades(TypedDict):
    """Every trade since `p`, in order."""

    t: Literal["trades"]
    ch: ChannelName
    e: Epoch
    s: Sequence
    p: Sequence
    n: Merged
    x: list[TradeText]
    drop: Annotated[int, "trades left out"]
    gap: NotRequired[Annotated[int, "publications lost, and with them an unknown number of trades"]]
    resumed: NotRequired[Resumed]


class BookStatus(TypedDict):
    """The state of one book."""

    t: Literal["status"]
    ex: str
    sym: str
    st: str
    fl: Flags
    age_ms: int | None
    since: Micros | None
    why: str


class PartStatus(TypedDict):
    """The state of a part that the gateway depends on."""

    t: Literal["status"]
    sys: Literal["redis", "aggregator"]
    st: Literal["live", "down"]
    since: Micros
    why: str


HopLine = TypedDict(
    "HopLine",
    {
        "hop": str,
        "what": str,
        "from": str,
        "to": str,
        "clock": str,
        "by": str,
        "count": int,
        "window_s": float,
        "p50": Duration,
        "p95": Duration,
        "p99": Duration,
        "max": Duration,
        "mean": Duration,
    },
)
"""One hop of one service: where it begins and ends, and how long it took."""


class Metrics(TypedDict):
    """The latency of every hop."""

    t: Literal["metrics"]
    hops: list[HopLine]
