"""The shape of every REST answer; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gateway.shapes.fields import DecimalText, Epoch, Flags, LevelText, Micros, Sequence, TradeText
from gateway.shapes.market import BestText, HopLine, QuoteText, VenueText

Bps = Annotated[str, "basis points, to two places"]


class Problem(TypedDict):
    """Why there is no answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: NotRequired[str]


class Version(TypedDict):
    """What runs."""

    name: str
    version: str
    protocol: str
    replay: NotRequired[Annotated[str, "what is replayed: nothing here is live; absent when all is"]]


class InstrumentText(TypedDict):
    """One instrument."""

    name: str
    price_decimals: int
    size_decimals: int
    venues: list[str]


class InstrumentList(TypedDict):
    """All instruments with their scales and venues."""

    instruments: list[InstrumentText]


class BookCount(TypedDict):
    """How many books a venue has."""

    live: int
    total: int


class VenueFacts(TypedDict):
    """One venue."""

    name: str
    books: BookCount
    fee_bps: Annotated[str | None, "the taker fee; null: not set, and nothing is assumed"]
    detector: Annotated[str | None, "what finds a loss in its feed; null: not known yet"]
    depth: Annotated[int | None, "levels a side that its feed has; null: all"]
    verified_depth: Annotated[int | None, "levels a side under its checksum"]


class VenueList(TypedDict):
    """All venues."""

    venues: list[VenueFacts]


class BookUptime(TypedDict):
    """How long one book was live."""

    instrument: str
    venue: str
    observed_s: Annotated[float, "published by an aggregator, and traded"]
    live_s: float
    live_share: Annotated[str | None, "of what was observed, rounded down; null: nothing was"]
    falls: Annotated[int, "times it ceased to be live"]


class VenueUptime(TypedDict):
    """How long the books of a venue were live, together."""

    venue: str
    books: int
    live_share: Annotated[str | None, "of what was observed of all its books, rounded down; null: nothing was"]
    falls: int


class UptimeAnswer(TypedDict):
    """How long books were live of late."""

    as_of: int
    hours: Annotated[int, "whole hours by the clock; the last is the present one"]
    venues: list[VenueUptime]
    books: list[BookUptime]


class Placed(TypedDict):
    """Where an answer about an instrument comes from, and how old it is."""

    instrument: str
    seq: Sequence
    epoch: Epoch
    as_of: Annotated[int | None, "microseconds: when the newest of it was published"]
    age_ms: Annotated[int | None, "since the newest book in it last changed"]
    state: str


class BookAnswer(Placed):
    """One venue's book."""

    venue: str
    flags: Flags
    why: str
    bids: list[LevelText]
    asks: list[LevelText]


class LadderAnswer(Placed):
    """The live books together; every level says who quotes how much."""

    quote: QuoteText
    venues: dict[str, VenueText]
    group: Annotated[str | None, "the step of the rows: bids are rounded down, asks up"]
    bids: list[LevelText]
    asks: list[LevelText]


class BestAnswer(Placed):
    """An instrument's best prices."""

    quote: QuoteText
    venues: dict[str, BestText]


class BestList(TypedDict):
    """Every instrument's best prices."""

    instruments: list[BestAnswer]


class TradesAnswer(Placed):
    """The newest trades that the gateway holds, oldest first."""

    trades: list[TradeText]


class SpreadText(TypedDict):
    """A venue's own spread, whatever its state."""

    bid: DecimalText | None
    ask: DecimalText | None
    spread: DecimalText | None
    spread_bps: Annotated[str | None, "of the mid"]
    st: str
    fl: Flags
    age_ms: int | None


class SpreadsAnswer(Placed):
    """The spread of the live books together and of each venue."""

    quote: QuoteText
    spread_bps: Annotated[str | None, "of the mid; negative: crossed"]
    venues: dict[str, SpreadText]


class EdgeText(TypedDict):
    """What buying on one venue and selling on another leaves per unit, and for how much of both books."""

    instrument: str
    seq: Sequence
    epoch: Epoch
    as_of: Annotated[int | None, "microseconds: when the newest of it was published"]
    buy: str
    sell: str
    ask: DecimalText
    bid: DecimalText
    edge_bps: Bps
    label: Annotated[Literal["net", "gross"], "net: of both taker fees"]
    gross_of: Annotated[list[str], "venues whose fee is not in the edge"]
    size: Annotated[str, "at which the edge is gone"]
    cost: DecimalText
    profit: DecimalText
    whole: Annotated[bool, "false: the books that are shown end before the edge does"]
    age_ms: Annotated[dict[str, int], "by venue"]
    flags: Annotated[dict[str, list[str]], "by venue"]


class Barred(TypedDict):
    """A book that no edge is shown of, and why."""

    instrument: str
    venue: str
    why: str


class ArbitrageAnswer(TypedDict):
    """All edges of at least so many basis points, the best first; only within one instrument, so in one currency."""

    as_of: Micros
    min_bps: DecimalText
    net: bool
    fees: dict[str, DecimalText | None]
    edges: list[EdgeText]
    barred: list[Barred]


class Taken(TypedDict):
    """What would be taken from one venue."""

    size: DecimalText
    cost: DecimalText


class ImpactAnswer(Placed):
    """What a market order over all live books would come to."""

    side: Literal["buy", "sell"]
    qty: DecimalText
    filled: DecimalText
    left: Annotated[str, "more than zero: the books that are shown hold no more"]
    best: DecimalText | None
    worst: DecimalText | None
    average: Annotated[str | None, "volume-weighted; rounded where `exact` is false"]
    exact: bool
    slippage_bps: Annotated[str | None, "of the best price; worse is positive"]
    cost: Annotated[str, "price times size, exact"]
    venues: dict[str, Taken]


class LatencyAnswer(TypedDict):
    """The latency of every hop."""

    hops: list[HopLine]


class Counters(TypedDict):
    """What was received of one instrument: head - joined_at == received + refilled."""

    joined_at: Sequence
    head: Sequence
    received: int
    refilled: int


class PartText(TypedDict):
    """A part that the gateway depends on."""

    live: bool
    why: str
    since: Micros


class StatsAnswer(TypedDict):
    """The gateway's own counts."""

    node: str
    as_of: Micros
    uptime_s: float
    connections: int
    event_streams: int
    topics: int
    parts: dict[str, PartText]
    instruments: dict[str, Counters]


class Health(TypedDict):
    """Whether the gateway makes progress; if not, a restart may help."""

    status: Literal["OK", "STUCK"]
    why: list[str]


class Readiness(TypedDict):
    """Whether there is anything to serve, and what is missing."""

    status: Literal["OK", "DEGRADED", "DOWN"]
    parts: dict[str, str]
    venues: dict[str, list[str]]
