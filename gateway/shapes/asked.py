"""What a client may ask."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias, TypedDict

from gateway.shapes.fields import ChannelName, Epoch, Node, RequestId, Sequence


class PositionAsked(TypedDict):
    """How far a client has come in a channel: `e` and `s` of what it applied last."""

    epoch: Epoch
    seq: Sequence


class SubscribeAsked(TypedDict):
    """Follow channels; `resume` goes on where the client was, if this is the `node` that it was connected to."""

    op: Literal["subscribe"]
    id: RequestId
    ch: list[ChannelName]
    depth: NotRequired[Annotated[int, "levels a side"]]
    rate_ms: NotRequired[Annotated[int, "at most one frame in this long; 0: each batch of publications at once"]]
    node: NotRequired[Node]
    resume: NotRequired[dict[ChannelName, PositionAsked]]


class UnsubscribeAsked(TypedDict):
    """Stop following channels."""

    op: Literal["unsubscribe"]
    id: RequestId
    ch: list[ChannelName]


class SetAsked(TypedDict):
    """Change depth or rate of channels that are followed; what is not named stays."""

    op: Literal["set"]
    id: RequestId
    ch: list[ChannelName]
    depth: NotRequired[int]
    rate_ms: NotRequired[int]


class AuthAsked(TypedDict):
    """Show the token, where hello's `auth` says so."""

    op: Literal["auth"]
    id: RequestId
    token: str


class PingAsked(TypedDict):
    """Ask for both clocks."""

    op: Literal["ping"]
    id: RequestId
    c: NotRequired[Annotated[int, "the client's own instant"]]


class PlainAsked(TypedDict):
    """Ask what is subscribed to, or for the counts."""

    op: Literal["list", "stats"]
    id: RequestId


ClientMessage: TypeAlias = SubscribeAsked | UnsubscribeAsked | SetAsked | AuthAsked | PingAsked | PlainAsked
