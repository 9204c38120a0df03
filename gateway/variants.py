"""The variants of channels that somebody follows: each is one topic, made once and stepped once for all its clients.

A variant that nobody follows any more is kept for some seconds, so that a client whose connection broke finds the steps
it missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.channels import RAW_MS, TICK_MS, Channel
from gateway.outbox import Outbox
from gateway.topic import Frame, Now, Topic

LINGER_NS = 5_000_000_000  # more than a client waits before its first attempts to come back


@dataclass(frozen=True, slots=True)
class Variant:
    """A channel at a depth (0 where it has none) and a rate."""

    channel: Channel
    depth: int
    rate_ms: int

    @classmethod
    def of(cls, channel: Channel, depth: int, rate_ms: int) -> Variant:
        """Give what a wish for these comes to: depth and rate do not split what has none."""
        deep = channel.kind in ("book", "cbook")
        return cls(channel, depth if deep else 0, rate_ms if channel.instrument else TICK_MS)


@dataclass(slots=True)
class _Followed:
    """A topic, in which of its periods it last stepped, who follows it, and since when nobody does."""

    variant: Variant
    topic: Topic
    stepped: int = -1
    outboxes: dict[Outbox, None] = field(default_factory=dict)
    idle_since: int | None = None

    def is_over(self, now: Now) -> bool:
        """Whether nobody has followed it for so long that nobody will go on with it."""
        if self.outboxes:
            self.idle_since = None
            return False
        self.idle_since = now.monotonic if self.idle_since is None else self.idle_since
        return now.monotonic - self.idle_since > LINGER_NS


class Variants:
    """All of them, by what they are."""

    def __init__(self) -> None:
        """Begin without any."""
        self._followed: dict[Variant, _Followed] = {}
        self._of: dict[Topic, _Followed] = {}
        self._raw: dict[Topic, _Followed] = {}  # those whose followers wait for every publication

    def follow(self, outbox: Outbox, variant: Variant, make: Callable[[Variant], Topic]) -> Topic:
        """Let a client follow a variant, made now if there is none."""
        followed = self._followed.get(variant)
        if followed is None:
            followed = self._followed[variant] = _Followed(variant, make(variant))
            self._of[followed.topic] = followed
        followed.outboxes[outbox] = None
        if variant.rate_ms == RAW_MS:
            self._raw[followed.topic] = followed
        return followed.topic

    def release(self, outbox: Outbox, topic: Topic) -> None:
        """Let a client no longer follow a topic; what has no instrument has nothing to go on with."""
        followed = self._of[topic]
        del followed.outboxes[outbox]
        if not followed.outboxes:
            self._raw.pop(topic, None)
            if not followed.variant.channel.instrument:
                self._drop(followed)

    def _drop(self, followed: _Followed) -> None:
        del self._followed[followed.variant], self._of[followed.topic]

    def channel(self, topic: Topic) -> Channel:
        """Give a topic's channel: the first client's text is its name for all, since a thousand have it."""
        return self._of[topic].variant.channel

    @property
    def following(self) -> int:
        """How many topics somebody follows."""
        return sum(bool(followed.outboxes) for followed in self._followed.values())

    def census(self) -> dict[str, tuple[int, int]]:
        """Give by kind of channel how many topics are followed, and by how many."""
        found: dict[str, tuple[int, int]] = {}
        for followed in self._followed.values():
            topics, clients = found.get(followed.variant.channel.kind, (0, 0))
            found[followed.variant.channel.kind] = topics + bool(followed.outboxes), clients + len(followed.outboxes)
        return found

    @property
    def raw(self) -> bool:
        """Whether anybody waits for every publication."""
        return bool(self._raw)

    def step(self, number: int, now: Now) -> dict[Topic, Frame]:
        """Step what is due in a tick and forget what is over; give the frames of what has something to say."""
        frames = {}
        for followed in list(self._followed.values()):
            if followed.is_over(now):
                self._drop(followed)
                continue
            period = number * TICK_MS // (followed.variant.rate_ms or TICK_MS)
            if period == followed.stepped:
                continue
            followed.stepped = period
            frame = followed.topic.advance(now)
            if frame is not None:
                frames[followed.topic] = frame
        return frames

    def step_raw(self, now: Now) -> tuple[dict[Topic, Frame], dict[Outbox, None]]:
        """Step what waits for no tick; give the frames, and to whom they go."""
        frames, outboxes = dict[Topic, Frame](), dict[Outbox, None]()
        for topic, followed in self._raw.items():
            frame = topic.advance(now)
            if frame is not None:
                frames[topic] = frame
                outboxes |= followed.outboxes
        return frames, outboxes
