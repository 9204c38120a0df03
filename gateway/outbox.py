"""What one client is owed: its subscriptions, and how it is treated when it reads too slowly.

A client whose buffer is full is lagging: market data is left out, control messages are not. When its buffer has
drained it gets a keyframe of everything. Nothing is queued for it, so it costs memory in proportion to its topics.
"""

from __future__ import annotations

from typing import Protocol

from gateway.answers import recovered
from gateway.joined import Joined, Topics
from gateway.message import Message
from gateway.protocol import Close
from gateway.subscription import Subscription
from gateway.topic import Now, Position, Topic

SOFT_BYTES = 256 * 1024  # of unsent data: more makes a client lagging
HARD_BYTES = 1024 * 1024  # of unsent data: more ends the connection
DRAINED_BYTES = 32 * 1024  # of unsent data: less ends the lag
KEYFRAME_BYTES = 256 * 1024  # of keyframes in one tick; the rest follows in the next ones
LAG_NS = 15_000_000_000  # a client that lags longer is disconnected


class Wire(Protocol):
    """A client's connection, to be written to without waiting."""

    def write(self, text: bytes) -> None:
        """Send a text message to this client alone."""
        ...

    def deliver(self, message: Message) -> None:
        """Send a message that others may get too."""
        ...

    def buffered(self) -> int:
        """Give the bytes that were written and not yet taken by the network."""
        ...

    def close(self, close: Close) -> None:
        """End the connection; later writes are ignored."""
        ...


class Outbox:
    """All that is written to one client."""

    def __init__(self, wire: Wire) -> None:
        """Begin with an empty connection."""
        self.wire = wire
        self.subscriptions: dict[str, Subscription] = {}
        self.closed = False
        self._topics: Topics = frozenset()
        self._behind = False  # of what it follows: it needs a keyframe, or follows something else than `_topics`
        self._lagging_since: int | None = None
        self._skipped_ticks = 0

    def subscribe(self, name: str, topic: Topic, left: Position | None = None) -> None:
        """Follow a topic, beginning in the next tick with a keyframe, or with all since the place it was left at."""
        self.subscriptions[name] = Subscription(name, topic, left.s if left else 0, left=left)
        self._behind = True

    def unsubscribe(self, name: str) -> Topic:
        """Stop following a topic and give it."""
        self._behind = True
        return self.subscriptions.pop(name).topic

    def tell(self, text: bytes) -> None:
        """Send a control message, lagging or not."""
        if self.closed:
            return
        if self.wire.buffered() + len(text) > HARD_BYTES:
            self.end(Close.SLOW)
            return
        self.wire.write(text)

    def end(self, close: Close) -> None:
        """Close the connection."""
        if not self.closed:
            self.closed = True
            self.wire.close(close)

    def flush(self, joined: Joined) -> None:
        """Send what is due in this tick in one write."""
        if self.closed:
            return
        waiting = self.wire.buffered()
        if self._behind or joined.restarted or self._lagging_since is not None:
            self._flush_apart(joined, waiting)
            return
        bundle = joined.bundle(self._topics)
        self._topics = bundle.topics
        if waiting and bundle.news and waiting + bundle.message.size > SOFT_BYTES:
            self._lag(joined)
        elif bundle.message.size:
            self.wire.deliver(bundle.message)

    def _flush_apart(self, joined: Joined, waiting: int) -> None:
        """Send what is due to a client that lags, or that needs a keyframe of anything."""
        texts: list[bytes] = []
        if self._lagging_since is not None:
            if self._is_late(waiting, self._lagging_since, joined.at):
                self.end(Close.SLOW)
                return
            if waiting > DRAINED_BYTES:
                self._skipped_ticks += 1
                self._deliver(joined.heartbeat)
                return
            texts.append(self._recover())
        due, owed = self._due(joined)
        size = sum(map(len, due))
        if due and waiting and waiting + size > SOFT_BYTES:
            self._lag(joined)
            return
        texts += due
        texts += self._keyframes(owed, KEYFRAME_BYTES - waiting - size, joined)
        self._behind = any(one.behind for one in owed)
        self._deliver(joined.message(texts))

    def _deliver(self, message: Message) -> None:
        if message.size:
            self.wire.deliver(message)

    def _due(self, joined: Joined) -> tuple[list[bytes], list[Subscription]]:
        """Give the frames for those subscriptions that can take them, and those that need a keyframe first."""
        for one in self.subscriptions.values():
            frame = joined.frames.get(one.topic)
            if frame is not None and frame.restart:
                one.leave(frame.before)
        owed = [one for one in self.subscriptions.values() if one.behind]
        self._topics = frozenset(one.topic for one in self.subscriptions.values())
        return joined.texts(self._topics - {one.topic for one in owed}), owed

    @staticmethod
    def _keyframes(owed: list[Subscription], budget: int, joined: Joined) -> list[bytes]:
        """Give keyframes until the budget is spent; at least one where nothing waits."""
        texts: list[bytes] = []
        for one in owed:
            if budget <= 0:
                break
            if one.left is not None and one.topic.position.is_before(one.left):
                continue
            frame = joined.keyframe(one.topic, one.left)
            one.follow(frame)
            texts.append(frame.text)
            budget -= len(frame.text)
        return texts

    def _lag(self, joined: Joined) -> None:
        """Leave out this tick's frames and those to come."""
        self._lagging_since, self._skipped_ticks = joined.at.monotonic, 1
        self._behind = True
        for one in self.subscriptions.values():
            frame = joined.frames.get(one.topic)
            one.leave(one.topic.position if frame is None else frame.before)
        self._deliver(joined.heartbeat)

    @staticmethod
    def _is_late(waiting: int, since: int, now: Now) -> bool:
        """Whether a lagging client has had its time, or its buffer is full for good."""
        return waiting > HARD_BYTES or now.monotonic - since > LAG_NS

    def _recover(self) -> bytes:
        """End the lag and say so."""
        self._lagging_since = None
        return recovered(self._skipped_ticks)
