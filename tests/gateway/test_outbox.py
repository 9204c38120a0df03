from __future__ import annotations

import pytest

from gateway.outbox import CONTROLS, HARD_BYTES, KEYFRAME_BYTES, LAG_NS, SOFT_BYTES
from gateway.protocol import Close
from gateway.replica import TRADES_KEPT
from tests.gateway.client import RecordingWire
from tests.gateway.test_topics import BEST, BOOK, LADDER, TRADES, Scene

FULL = b"x" * SOFT_BYTES


def stalled_scene() -> Scene:
    """A client that has followed for a while and then stops reading, with a full buffer."""
    scene = Scene()
    scene.follow(BOOK, LADDER, BEST, TRADES)
    scene.publish(scene.maker.delta(30, trades=3))
    scene.tick()
    scene.wire.stalled = True
    scene.wire.unsent.append(b'{"t":"err","code":0,"retry":false,"msg":"' + FULL + b'"}')
    return scene


def run(scene: Scene, ticks: int, trades: int = 1) -> None:
    for _ in range(ticks):
        scene.publish(scene.maker.delta(trades=trades))
        scene.tick()


def test_a_client_that_does_not_read_is_sent_no_market_data() -> None:
    scene = stalled_scene()
    before = scene.wire.writes
    run(scene, 50)
    assert scene.wire.writes == before + 1
    assert b'"st":"lagging"' in scene.wire.unsent[-1]


def test_a_client_that_reads_again_gets_a_keyframe_and_what_follows_fits() -> None:
    scene = stalled_scene()
    run(scene, 50)
    scene.wire.drain()
    run(scene, 10)
    lags = scene.wire.reader.of("lag")
    assert [(one["st"], one["skipped"], one["rate_ms"]) for one in lags] == [("lagging", 0, 0), ("recovered", 50, 0)]
    book = scene.wire.reader.books[BOOK]
    assert (book.s, book.snapshots, book.skipped) == (scene.maker.seq, 2, 51)


@pytest.mark.parametrize("name", [BOOK, LADDER, BEST, TRADES])
def test_the_counters_of_one_who_lagged_add_up(name: str) -> None:
    scene = stalled_scene()
    run(scene, 20)
    (session,) = scene.ticker.sessions
    during = session.outbox.subscriptions[name].stats()
    scene.wire.drain()
    run(scene, 3)
    scene.maker.flags = 1
    scene.publish(scene.maker.delta(trades=1))
    scene.tick()
    after = session.outbox.subscriptions[name].stats()
    for stats in (during, after):
        assert stats["to"] - stats["from"] == stats["merged"] + stats["skipped"]
    assert (during["from"], during["to"], after["to"]) == (1, 2, 26)
    assert after["skipped"] == (0 if name == TRADES else 21)


def test_one_who_lagged_gets_the_newest_trades_and_is_told_how_many_are_left_out() -> None:
    scene = stalled_scene()
    run(scene, 30, trades=10)
    scene.wire.drain()
    run(scene, 1, trades=10)
    one = scene.wire.reader.of("trades")[-1]
    assert one["drop"] == 310 - 200
    assert [row[4] for row in one["x"]] == [str(n) for n in range(114, 314)]
    assert one["n"] == one["s"] - one["p"]


def test_a_client_that_lags_for_too_long_is_disconnected() -> None:
    scene = stalled_scene()
    run(scene, LAG_NS // 100_000_000)
    assert scene.wire.closed is None
    run(scene, 3)
    assert scene.wire.closed is Close.SLOW


def test_a_client_that_takes_no_answers_is_disconnected() -> None:
    scene = stalled_scene()
    (session,) = scene.ticker.sessions
    scene.wire.unsent.append(b"x" * (HARD_BYTES - SOFT_BYTES))
    session.outbox.tell(b"{}")
    assert scene.wire.closed is Close.SLOW


def test_a_lagging_client_that_asks_too_much_is_disconnected() -> None:
    scene = stalled_scene()
    run(scene, 1)
    (session,) = scene.ticker.sessions
    for _ in range(CONTROLS):
        session.outbox.tell(b"{}")
    assert scene.wire.closed is None
    session.outbox.tell(b"{}")
    assert scene.wire.closed is Close.SLOW


def lag_once(scene: Scene) -> None:
    """Stop reading for a tick, and read again."""
    scene.wire.stalled = True
    scene.wire.unsent.append(b'{"t":"err","code":0,"retry":false,"msg":"' + FULL + b'"}')
    run(scene, 2)
    scene.wire.drain()
    run(scene, 2)


def lags(scene: Scene) -> list[tuple[str, int]]:
    return [(one["st"], one["rate_ms"]) for one in scene.wire.reader.of("lag") if one["st"] not in ("lagging",)]


def frames_of(scene: Scene, ticks: int) -> int:
    """How many frames of the book come in so many ticks."""
    before = len(scene.wire.reader.of("d"))
    for _ in range(ticks):
        scene.maker.flags ^= 1
        run(scene, 1)
    return len(scene.wire.reader.of("d")) - before


def test_a_client_that_lags_three_times_in_a_minute_gets_frames_less_often() -> None:
    scene = Scene()
    scene.follow(BOOK)
    for _ in range(3):
        lag_once(scene)
    assert lags(scene) == [("recovered", 0), ("recovered", 0), ("recovered", 0), ("downgraded", 250)]
    assert frames_of(scene, 20) == 8
    assert scene.wire.reader.books[BOOK].s >= scene.maker.seq - 3


def test_it_gets_fewer_still_if_that_does_not_help_and_no_fewer_than_one_a_second() -> None:
    scene = Scene()
    scene.follow(BOOK, LADDER, TRADES, "status")
    for _ in range(9):
        lag_once(scene)
    assert [rate for state, rate in lags(scene) if state == "downgraded"] == [250, 1000]
    assert frames_of(scene, 40) == 8


def test_after_a_minute_without_a_lag_it_goes_a_tier_back() -> None:
    scene = Scene()
    scene.follow(BOOK, TRADES)
    for _ in range(6):
        lag_once(scene)
    run(scene, 1210)
    assert lags(scene)[-2:] == [("restored", 250), ("restored", 0)]
    assert frames_of(scene, 10) == 10
    assert scene.hub.following == 2


def test_what_is_asked_slowly_anyway_is_not_slowed_down_before_the_rest() -> None:
    scene = Scene()
    scene.follow(LADDER, rate_ms=1000)
    for _ in range(3):
        lag_once(scene)
    assert "downgraded" not in dict(lags(scene))


@pytest.mark.parametrize("name", [BOOK, LADDER, BEST, TRADES])
def test_the_counters_of_one_who_was_slowed_down_add_up(name: str) -> None:
    scene = Scene()
    scene.follow(BOOK, LADDER, BEST, TRADES)
    for _ in range(6):
        lag_once(scene)
        run(scene, 40)
    (session,) = scene.ticker.sessions
    stats = session.outbox.subscriptions[name].stats()
    assert stats["to"] - stats["from"] == stats["merged"] + stats["skipped"]
    assert scene.hub.counts["lagging"] == 6
    trades = [row[4] for message in scene.wire.reader.of("trades") for row in message["x"]]
    assert trades == [str(n) for n in range(1, len(trades) + 1)]
    assert len(trades) > scene.maker.traded - 12


def test_a_slow_client_harms_no_other() -> None:
    scene = stalled_scene()
    healthy = RecordingWire()
    scene.ticker.connect(healthy, BOOK, LADDER, TRADES)
    run(scene, 100)
    assert healthy.reader.books[BOOK].s == scene.maker.seq
    assert healthy.reader.books[BOOK].snapshots == 1
    assert scene.wire.buffered() < HARD_BYTES


def test_a_frame_larger_than_the_bound_reaches_one_who_reads() -> None:
    scene = Scene()
    scene.follow(TRADES)
    scene.publish(scene.maker.delta(trades=TRADES_KEPT), scene.maker.delta(trades=TRADES_KEPT))
    scene.tick()
    _, one = scene.wire.reader.of("trades")
    assert (len(one["x"]), one["drop"]) == (TRADES_KEPT, TRADES_KEPT)


def test_keyframes_are_spread_over_ticks() -> None:
    scene = Scene()
    for _ in range(20):
        scene.publish(scene.maker.delta(200))
    names = [f"book:{venue}:BTC-USDT" for venue in ("binance", "kraken")]
    scene.ticker.connect(scene.wire, *names, LADDER, depth=200)
    scene.wire.unsent.append(b"x" * (KEYFRAME_BYTES - 1))
    scene.tick()
    assert len(scene.wire.reader.of("snap")) == 1
    scene.wire.unsent.clear()
    scene.tick()
    assert len(scene.wire.reader.of("snap")) == 3


def test_a_closed_client_is_sent_nothing() -> None:
    scene = Scene()
    scene.follow(BOOK)
    (session,) = scene.ticker.sessions
    session.outbox.end(Close.SLOW)
    before = scene.wire.writes
    run(scene, 3)
    assert scene.wire.writes == before
