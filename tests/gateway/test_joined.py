from __future__ import annotations

import pytest

from gateway.channels import Channel
from gateway.hub import Hub
from gateway.joined import Joined
from gateway.topic import Frame, Now, Position, Topic
from gateway.topics import BookTopic
from gateway.trades import TradesTopic
from tests.gateway.publications import Maker, instruments
from tests.gateway.test_topics import BOOK, LADDER

NOW = Now(0, 0)


@pytest.mark.parametrize("names", [(BOOK,), (BOOK, LADDER)])
@pytest.mark.parametrize("heartbeat", ["", "beat"])
def test_frames_are_joined_by_lines_and_empty_ones_left_out(names: tuple[str, ...], heartbeat: str) -> None:
    replica = Hub(instruments()).replicas["BTC-USDT"]
    topics = [TradesTopic(Channel(name, "trades"), replica) for name in names]
    silent = TradesTopic(Channel("", "trades"), replica)
    frames: dict[Topic, Frame] = {silent: Frame(b"", Position(), 1)}
    frames |= {topic: Frame(name.encode(), Position(), 1) for topic, name in zip(topics, names, strict=True)}
    bundle = Joined(frames, heartbeat.encode(), NOW).bundle(frozenset([*topics, silent]))
    lines = bundle.message.text.decode().split("\n")
    assert (sorted(lines), bundle.news) == (sorted([heartbeat, *names] if heartbeat else names), True)


def test_those_who_follow_the_same_get_one_message() -> None:
    replica = Hub(instruments()).replicas["BTC-USDT"]
    topics = [TradesTopic(Channel(name, "trades"), replica) for name in (BOOK, LADDER)]
    joined = Joined({topics[0]: Frame(b"text", Position(), 1)}, b"", NOW)
    first, second = (joined.bundle(frozenset(topics)) for _ in range(2))
    assert first is second
    assert joined.bundle(frozenset(topics[:1])) is not first


def test_a_heartbeat_alone_is_no_news() -> None:
    bundle = Joined({}, b"beat", NOW).bundle(frozenset())
    assert (bundle.message.text, bundle.news) == (b"beat", False)


def test_a_keyframe_is_made_once_a_tick_for_all_who_have_the_same_place() -> None:
    replica = Hub(instruments()).replicas["BTC-USDT"]
    replica.join([Maker().key()], 0)
    topic = BookTopic(Channel(BOOK, "book", "BTC-USDT", "kraken"), replica, 10, NOW)
    joined = Joined({}, b"", NOW)
    place = Position(1, 1, 0, 1)
    assert joined.keyframe(topic, None) is joined.keyframe(topic, None)
    assert joined.keyframe(topic, place) is joined.keyframe(topic, Position(1, 1, 0, 1))
    assert joined.keyframe(topic, place) is not joined.keyframe(topic, None)
    assert joined.keyframe(topic, None) is not Joined({}, b"", NOW).keyframe(topic, None)
