"""The hub: replicas of all instruments, the topics that somebody follows, and who follows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.channels import RATES_MS, Channel, parse_channel
from gateway.joined import Joined
from gateway.notices import Metrics, MetricsTopic, Part, PartName, StatusTopic
from gateway.outbox import Outbox
from gateway.protocol import CHANNELS, Code
from gateway.replica import Replica
from gateway.requests import Subscribe
from gateway.shapes.answers import Counters
from gateway.subscription import Subscription
from gateway.topic import Frame, Now, Position, Topic
from gateway.topics import BestTopic, BookTopic
from gateway.trades import TradesTopic
from gateway.variants import Variant, Variants
from thalweg.instruments import Instruments
from thalweg.publication import Publication

REDIS: PartName = "redis"
AGGREGATOR: PartName = "aggregator"
SILENCE_NS = 750_000_000  # an aggregator's heartbeat comes every 250 ms
SILENT = "no heartbeat for over 750 ms"
QUIET_NS = 3_000_000_000  # of an instrument: a key record comes every second, also when nothing changes


@dataclass(slots=True)
class Arrival:
    """The stamps of a publication on its way through the gateway; `None` is absent."""

    ts_recv: int | None
    ts_published: int | None
    ts_received: int


class Hub:
    """Everything between publications that come in and frames that go out."""

    def __init__(self, instruments: Instruments) -> None:
        """Begin with nothing heard of."""
        self.instruments = instruments
        self.replicas = {name: Replica(one) for name, one in instruments.by_name.items()}
        self.parts: dict[PartName, Part] = {REDIS: Part(), AGGREGATOR: Part()}
        self.metrics = Metrics([])
        self.arrivals: list[Arrival] = []
        self.counts: Counter[str] = Counter()  # of lags, skipped ticks, changes of pace, and closes by code
        self._variants = Variants()
        self._heard: dict[str, tuple[int, str]] = {}
        self._lost: dict[str, str] = {}
        self._judge(Now(0, 0))

    def arrived(self, one: Publication, now_ns: int) -> None:
        """Note the stamps of a publication, for the latency rings."""
        self.arrivals.append(Arrival(one.stamps.ts_recv, one.stamps.ts_published, now_ns))

    def hear(self, now: Now, trouble: str | None, names: Iterable[str] = ()) -> None:
        """Note an aggregator's heartbeat about these instruments, all if it names none, and what it complains of."""
        for name in names or self.replicas:
            self._heard[name] = (now.monotonic, trouble or "")
        self.listen(now)

    def reach(self, live: bool, why: str, now: Now, names: Iterable[str] = ()) -> None:
        """Note whether Redis can be used, or of a Cluster what has these instruments; it is down when none has any."""
        for name in names or self.replicas:
            self._lost.pop(name, None)
            if not live:
                self._lost[name] = why
        count = len(self.replicas)
        self.set_part(REDIS, len(self._lost) < count, told_of(self._lost, count), now)

    def set_part(self, name: PartName, live: bool, why: str, now: Now) -> None:
        """Note whether a part of the system is there; what can't be heard of is not shown as live."""
        part = self.parts[name]
        if (part.live, part.why) != (live, why) or not part.since_ns:
            part.since_ns = now.wall
        part.live, part.why = live, why
        if name == REDIS and not live:
            self._heard.clear()
        self._judge(now)

    def listen(self, now: Now) -> None:
        """Note what has fallen silent, or is heard again; the aggregator is down when no instrument is well."""
        if self._heard or self.parts[AGGREGATOR].live:
            complaints, count = self._complaints(now), len(self.replicas)
            self.set_part(AGGREGATOR, len(complaints) < count, told_of(complaints, count), now)
        else:
            self._judge(now)

    def _complaints(self, now: Now) -> dict[str, str]:
        """Give by instrument what its last heartbeat complained of, or that it is too old."""
        found = {}
        for name in self.replicas:
            heard_ns, trouble = self._heard.get(name, (None, ""))
            if heard_ns is None or now.monotonic - heard_ns > SILENCE_NS:
                found[name] = SILENT
            elif trouble:
                found[name] = trouble
        return found

    def _judge(self, now: Now) -> None:
        """Say of every replica why it may not be called live, if anything speaks against it."""
        redis = self.parts[REDIS]
        complaints = self._complaints(now) if redis.live else {}
        for name, replica in self.replicas.items():
            quiet = replica.joined_at is not None and now.wall - replica.ts_received > QUIET_NS
            trouble = f"{REDIS}: {redis.why}" if not redis.live else None
            if redis.live and name in self._lost:
                trouble = f"{REDIS}: {self._lost[name]}"
            elif trouble is None and name in complaints:
                trouble = f"{AGGREGATOR}: {complaints[name]}"
            replica.trust(trouble or ("nothing published for over 3 s" if quiet else None), now.wall)

    def subscribe(self, outbox: Outbox, request: Subscribe, node: str, now: Now) -> dict[str, Code]:
        """Let a client of this node follow channels; give those it may not."""
        errors: dict[str, Code] = {}
        for name in request.names:
            channel = parse_channel(name, self.instruments)
            if channel is None:
                errors[name] = Code.UNKNOWN_CHANNEL
            elif name in outbox.subscriptions:
                errors[name] = Code.ALREADY_SUBSCRIBED
            elif len(outbox.subscriptions) >= CHANNELS:
                errors[name] = Code.LIMIT
            else:
                left = self._subscribe(outbox, channel, request, node, now)
                if isinstance(left, Code):
                    errors[name] = left
        return errors

    def _subscribe(
        self, outbox: Outbox, channel: Channel, request: Subscribe, node: str, now: Now
    ) -> Position | Code | None:
        """Let a client follow a channel, from the place that is given; or give why it may not."""
        rate_ms = request.rate_ms if channel.instrument else RATES_MS[-1]  # what has one rate makes nobody slow
        topic = self._follow(outbox, channel, request.depth, rate_ms, now)
        left = self._place(topic, channel, request, node)
        if isinstance(left, Code):
            self._variants.release(outbox, topic)
        else:
            name, since = self._variants.channel(topic).name, left.s if left else 0
            outbox.subscribe(Subscription(name, topic, request.depth, rate_ms, since, left=left))
        return left

    def _follow(self, outbox: Outbox, channel: Channel, depth: int, rate_ms: int, now: Now) -> Topic:
        variant = Variant.of(channel, depth, max(rate_ms, outbox.pace.floor_ms))
        return self._variants.follow(outbox, variant, lambda wish: self._topic(wish, now))

    def retune(self, outbox: Outbox, one: Subscription, now: Now) -> Topic | None:
        """Let a subscription follow the variant that it should by now, and give its topic; `None` if it does."""
        topic = self._follow(outbox, self._variants.channel(one.topic), one.depth, one.rate_ms, now)
        if topic is one.topic:
            return None
        self._variants.release(outbox, one.topic)
        return topic

    def note(self, what: str, count: int = 1) -> None:
        """Count something that happened to a client."""
        self.counts[what] += count

    @staticmethod
    def _place(topic: Topic, channel: Channel, request: Subscribe, node: str) -> Position | Code | None:
        """Give where a client goes on; `None` if it begins anew.

        A book that is not known by its place is sent whole, which is always right. Of trades a client has to be told
        when what it missed can't even be counted. They are the same at every node; books may be shown otherwise by one
        that hears less, so their places count only where they were told.
        """
        asked = request.resume.get(channel.name)
        trades = channel.kind == "trades"
        if asked is None or not (trades or request.node == node):
            return None
        left = topic.find(*asked)
        return Code.UNRECOVERABLE_POSITION if left is None and trades else left

    def _topic(self, variant: Variant, now: Now) -> Topic:
        return self.topic(variant.channel, variant.depth, now)

    def topic(self, channel: Channel, depth: int, now: Now) -> Topic:
        """Make a topic that nobody follows yet."""
        if channel.kind == "status":
            return StatusTopic(self.replicas, self.parts)
        if channel.kind == "metrics":
            return MetricsTopic(self.metrics)
        replica = self.replicas[channel.instrument]
        if channel.kind == "bbo":
            return BestTopic(channel, replica, now)
        if channel.kind == "trades":
            return TradesTopic(channel, replica)
        return BookTopic(channel, replica, depth, now)

    def unsubscribe(self, outbox: Outbox, names: Iterable[str]) -> dict[str, Code]:
        """Let a client no longer follow channels; give those it did not."""
        errors = {}
        for name in names:
            if name in outbox.subscriptions:
                self._variants.release(outbox, outbox.unsubscribe(name))
            else:
                errors[name] = Code.NOT_SUBSCRIBED
        return errors

    def census(self) -> Mapping[str, tuple[int, int]]:
        """Give by kind of channel how many topics are followed, and how many subscriptions there are."""
        return self._variants.census()

    @property
    def following(self) -> int:
        """How many topics somebody follows."""
        return self._variants.following

    @property
    def raw(self) -> bool:
        """Whether anybody waits for every publication."""
        return self._variants.raw

    def deliver(self, now: Now) -> None:
        """Step the topics that wait for no tick, and write what they have to say to those who follow them."""
        frames, outboxes = self._variants.step_raw(now)
        joined = Joined(frames, b"", now)
        for outbox in outboxes:
            outbox.flush(joined)

    def tick(self, number: int, now: Now) -> Mapping[Topic, Frame]:
        """Step every topic that is due, the raw ones too, and give the frames of those that have something to say."""
        self.listen(now)
        return self._variants.step(number, now)

    def report(self) -> dict[str, Counters]:
        """Give the counters of every instrument that was joined."""
        return {
            name: {
                "joined_at": replica.joined_at,
                "head": replica.seq,
                "received": replica.received,
                "refilled": replica.refilled,
            }
            for name, replica in self.replicas.items()
            if replica.joined_at is not None
        }


def told_of(complaints: Mapping[str, str], instruments: int) -> str:
    """Give one line for what is wrong with some of the instruments: all the same is said once."""
    reasons = sorted(set(complaints.values()))
    if len(complaints) == instruments or not reasons:
        return "; ".join(reasons)
    first, others = next(iter(complaints)), len(complaints) - 1
    return "; ".join(reasons) + f" ({first}" + (f" and {others} more)" if others else ")")
