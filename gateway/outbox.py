"""What one client is owed: its subscriptions, and how it is treated when it reads too slowly.

A client whose buffer is full is lagging: market data is left out, control messages are not. When its buffer has
drained it gets a keyframe of everything. Nothing is queued for it, so it costs memory in proportion to its topics.
One that lags again and again gets frames less often (`pace.py`); one that lags for too long is disconnected.
"""

from __future__ import annotations

from typing import Literal, Protocol

from gateway.answers import lag
from gateway.joined import Joined, Topics
from gateway.message import Message
from gateway.pace import Pace
from gateway.protocol import Close
from gateway.subscription import Subscription
from gateway.topic import Now, Position, Topic

SOFT_BYTES = 256 * 1024  # of unsent data: more makes a client lagging
HARD_BYTES = 1024 * 1024  # of unsent data: more ends the connection
DRAINED_BYTES = 32 * 1024  # of unsent data: less ends the lag
KEYFRAME_BYTES = 256 * 1024  # of keyframes in one tick; the rest follows in the next ones
LAG_NS = 15_000_000_000  # a client that lags longer is disconnected
CONTROLS = 256  # messages told to a client while it lags: more end the connection


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


class Desk(Protocol):
    """Where a client's subscriptions lead to other topics."""

    def retune(self, outbox: Outbox, one: Subscription, now: Now) -> Topic | None:
        """Give the topic that a subscription should follow now; `None` if it does."""
        ...

    def note(self, what: str, count: int = 1) -> None:
        """Count something that happened to a client."""
        ...


class Outbox:
    """All that is written to one client."""

    def __init__(self, wire: Wire, desk: Desk) -> None:
        """Begin with an empty connection."""
        self.wire = wire
        self.subscriptions: dict[str, Subscription] = {}
        self.pace = Pace()
        self.closed = False
        self._desk = desk
        self._topics: Topics = frozenset()
        self._behind = False  # of what it follows: it needs a keyframe, or follows something else than `_topics`
        self._moving = False  # a subscription is to follow another variant
        self._lagging_since: int | None = None
        self._skipped_ticks = self._controls = 0

    def subscribe(self, one: Subscription) -> None:
        """Follow a topic, beginning in the next tick with a keyframe, or with all since the place it was left at."""
        self.subscriptions[one.name] = one
        self._behind = True

    def unsubscribe(self, name: str) -> Topic:
        """Stop following a topic and give it."""
        self._behind = True
        return self.subscriptions.pop(name).topic

    def adjust(self, name: str, depth: int | None, rate_ms: int | None) -> None:
        """Change depth or rate of a subscription, from the next tick on."""
        one = self.subscriptions[name]
        one.depth = one.depth if depth is None else depth
        one.rate_ms = one.rate_ms if rate_ms is None else rate_ms
        self._behind = self._moving = True

    def tell(self, text: bytes) -> None:
        """Send a control message, lagging or not."""
        if self.closed:
            return
        self._controls += self._lagging_since is not None
        if self._controls > CONTROLS or self.wire.buffered() + len(text) > HARD_BYTES:
            self.end(Close.SLOW)
            return
        self.wire.write(text)

    def end(self, close: Close) -> None:
        """Close the connection."""
        if not self.closed:
            self.closed = True
            self._desk.note(f"closed {int(close)}")
            self.wire.close(close)

    def flush(self, joined: Joined) -> None:
        """Send what is due in this tick in one write."""
        if self.closed:
            return
        waiting = self.wire.buffered()
        if self._behind or joined.restarted or self._lagging_since is not None or self.pace.floor_ms:
            self._flush_apart(joined, waiting)
            return
        bundle = joined.bundle(self._topics)
        self._topics = bundle.topics
        if waiting and bundle.news and waiting + bundle.message.size > SOFT_BYTES:
            self._lag(joined, [])
        elif bundle.message.size:
            self.wire.deliver(bundle.message)

    def _flush_apart(self, joined: Joined, waiting: int) -> None:
        """Send what is due to a client that lags, is served more slowly, or needs a keyframe of anything."""
        if self._lagging_since is not None:
            if self._is_late(waiting, self._lagging_since, joined.at):
                self.end(Close.SLOW)
                return
            if waiting > DRAINED_BYTES:
                self._skipped_ticks += 1
                self._deliver(joined.heartbeat)
                return
        texts = self._change_pace(joined.at)
        if self._moving:
            self._move(joined)
        due, owed = self._due(joined)
        size = sum(map(len, due))
        if due and waiting and waiting + size > SOFT_BYTES:
            self._lag(joined, texts)
            return
        texts += due
        texts += self._keyframes(owed, KEYFRAME_BYTES - waiting - size, joined)
        self._behind = any(one.behind for one in owed)
        self._deliver(joined.message(texts))

    def _change_pace(self, now: Now) -> list[bytes]:
        """End the lag, if there is one, and serve the client more slowly or less so; give what it is told of that."""
        texts: list[bytes] = []
        fastest = min((one.rate_ms for one in self.subscriptions.values()), default=0)
        if self._lagging_since is not None:
            self._lagging_since = None
            self._desk.note("skipped", self._skipped_ticks)
            texts.append(lag("recovered", self._skipped_ticks, self.pace.floor_ms))
            if self.pace.recover(fastest, now):
                texts.append(self._at_pace("downgraded"))
        elif self.pace.relax(fastest, now):
            texts.append(self._at_pace("restored"))
        return texts

    def _at_pace(self, state: Literal["downgraded", "restored"]) -> bytes:
        self._moving = True
        self._desk.note(state)
        return lag(state, 0, self.pace.floor_ms)

    def _move(self, joined: Joined) -> None:
        """Follow other variants, each from where the client is in the one it leaves."""
        self._moving = False
        for one in self.subscriptions.values():
            topic = self._desk.retune(self, one, joined.at)
            if topic is not None:
                one.leave(_place(one, joined))
                one.follow_instead(topic)

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
        """Give keyframes until the budget is spent; at least one where nothing waits.

        A topic of a slower variant may be behind its new client, who then waits for its next step.
        """
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

    def _lag(self, joined: Joined, texts: list[bytes]) -> None:
        """Leave out this tick's frames and those to come; say so, after what else there is to say."""
        self._lagging_since, self._skipped_ticks, self._controls = joined.at.monotonic, 1, 0
        self._behind = True
        self.pace.lag(joined.at)
        self._desk.note("lagging")
        for one in self.subscriptions.values():
            one.leave(_place(one, joined))
        self._deliver(joined.message([*texts, lag("lagging", 0, self.pace.floor_ms)]))

    @staticmethod
    def _is_late(waiting: int, since: int, now: Now) -> bool:
        """Whether a lagging client has had its time, or its buffer is full for good."""
        return waiting > HARD_BYTES or now.monotonic - since > LAG_NS


def _place(one: Subscription, joined: Joined) -> Position:
    """Give where a client is that has not got this tick's frame."""
    frame = joined.frames.get(one.topic)
    return one.topic.position if frame is None else frame.before
