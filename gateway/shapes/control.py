"""What the gateway says to one client: hello, answers, signs of life, and how it is treated."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gateway.shapes.fields import ChannelName, Epoch, Micros, Node, RequestId, Sequence


class Limits(TypedDict):
    """What a connection may ask."""

    request_bytes: int
    requests_per_s: float
    requests_burst: float
    channels: int
    first_subscribe_ms: int
    depths: tuple[int, ...]
    rates_ms: tuple[int, ...]


class Hello(TypedDict):
    """The first message of a connection."""

    t: Literal["hello"]
    v: Literal[1]
    node: Node
    epoch: Epoch
    hb_ms: int
    limits: Limits
    srv: Micros
    auth: Annotated[Literal["none", "token"], "token: nothing is answered before the right one has come"]
    replay: NotRequired[Annotated[str, "what is replayed: nothing here is live; absent when all is"]]


class ChannelError(TypedDict):
    """Why one channel of a request was refused."""

    ch: ChannelName
    code: int
    msg: str


class Granted(TypedDict):
    """What was granted: the next larger of what there is."""

    depth: NotRequired[int]
    rate_ms: NotRequired[int]


class Ack(TypedDict):
    """Which channels of a request were accepted."""

    t: Literal["ack"]
    id: RequestId
    ok: list[ChannelName]
    err: list[ChannelError]
    granted: NotRequired[Granted]


class Error(TypedDict):
    """Why a request was not served; where `retry` is true the same one may be served later."""

    t: Literal["err"]
    code: int
    msg: str
    retry: bool
    id: NotRequired[RequestId]


class Heartbeat(TypedDict):
    """The sign of life that all clients get each second."""

    t: Literal["hb"]
    n: int
    srv: Micros


class Pong(TypedDict):
    """The answer to a ping."""

    t: Literal["pong"]
    id: RequestId
    c: Annotated[int | None, "the client's own instant, as it was sent"]
    srv: Micros


class ListAnswer(TypedDict):
    """What is subscribed to."""

    t: Literal["list"]
    id: RequestId
    ch: list[ChannelName]


Counts = TypedDict("Counts", {"from": Sequence, "to": Sequence, "merged": int, "skipped": int})
"""The gateway's own count of a subscription: `to` - `from` == `merged` + `skipped`."""


class StatsAnswer(TypedDict):
    """The counts of all subscriptions."""

    t: Literal["stats"]
    id: RequestId
    ch: dict[ChannelName, Counts]


LagState = Literal["lagging", "recovered", "downgraded", "restored"]


class Lag(TypedDict):
    """How the client is treated, as it reads too slowly or does so no more."""

    t: Literal["lag"]
    st: LagState
    skipped: Annotated[int, "ticks left out in this lag"]
    rate_ms: Annotated[int, "no subscription gets frames faster than this for now; 0: each as it was granted"]


class Bye(TypedDict):
    """The server is about to close: come back no earlier than after so long."""

    t: Literal["bye"]
    code: int
    after_ms: int
