"""Clients that come back: what they get makes the same book as if they had never left."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from gateway.ring import RING_NS
from gateway.session import Session
from gateway.variants import LINGER_NS
from tests.gateway.client import RecordingWire
from tests.gateway.publications import EPOCH
from tests.gateway.test_topics import BEST, BOOK, LADDER, TRADES, Scene, expected_book, expected_ladder

NODE = "node-1"
TICK_NS = 100_000_000


class Returning:
    """A client that leaves and comes back to a scene, with all it had read."""

    def __init__(self, *channels: str, joined: bool = True, **options: Any) -> None:
        self.scene = Scene(joined=joined)
        self.channels, self.options = channels, options
        self.wire = RecordingWire()
        self.session = self._connect({})
        self.scene.tick()

    def _connect(self, more: dict[str, Any]) -> Session:
        ticker = self.scene.ticker
        session = ticker.connect(self.wire)
        session.greet(NODE, ticker.now)
        request = {"op": "subscribe", "id": 1, "ch": self.channels, **self.options, **more}
        session.receive(orjson.dumps(request).decode(), ticker.now)
        return session

    def run(self, ticks: int = 1, **changes: int) -> None:
        for _ in range(ticks):
            self.scene.publish(self.scene.maker.delta(**changes))
            self.scene.tick()

    def leave(self) -> None:
        self.session.leave()
        self.scene.ticker.sessions.remove(self.session)

    def places(self) -> dict[str, dict[str, int]]:
        """Where it is, by what it read."""
        found: dict[str, dict[str, int]] = {}
        for one in self.wire.reader.messages:
            if "ch" in one and "s" in one:
                epoch = one["e"] if "e" in one else found[one["ch"]]["epoch"]
                found[one["ch"]] = {"epoch": epoch, "seq": one["s"]}
        return found

    def come_back(self, node: str = NODE, **changed: dict[str, int]) -> list[dict[str, Any]]:
        """Subscribe with its places, some of them changed; give what comes in the next tick."""
        places = self.places()
        resume = {name: {**place, **changed.get(name.partition(":")[0], {})} for name, place in places.items()}
        self.session = self._connect({"node": node, "resume": resume})
        before = len(self.wire.reader.messages)
        self.scene.tick()
        return self.wire.reader.messages[before:]


@pytest.mark.parametrize("rate_ms", [0, 100, 250])
@pytest.mark.parametrize("away", [0, 1, 7, 40])
def test_who_comes_back_gets_only_what_it_missed(away: int, rate_ms: int) -> None:
    client = Returning(BOOK, LADDER, rate_ms=rate_ms)
    client.run(13)
    client.leave()
    client.run(away)
    came = client.come_back()
    for name in (BOOK, LADDER):
        first, *others = [one for one in came if one["ch"] == name]
        assert (first["t"], first["resumed"]) == ("d", True)
        assert not any("resumed" in one for one in others)
        assert "crc" in (others or [first])[-1]
    client.run(5)
    client.scene.tick(5)
    books = client.wire.reader.books
    assert [books[name].snapshots for name in (BOOK, LADDER)] == [1, 1]
    assert books[BOOK].ranked() == expected_book(client.scene.maker, "kraken", 25)
    assert books[LADDER].ranked() == expected_ladder(client.scene.maker, 25)


def test_the_gateways_own_count_of_one_who_came_back_adds_up() -> None:
    client = Returning(BOOK, LADDER, BEST, TRADES)
    client.run(10, trades=1)
    left = {name: place["seq"] for name, place in client.places().items()}
    client.leave()
    client.run(10, trades=1)
    client.come_back()
    client.run(10, trades=1)
    for name, one in client.session.outbox.subscriptions.items():
        stats = one.stats()
        assert (stats["from"], stats["to"]) == (left[name], client.places()[name]["seq"])
        assert (stats["merged"], stats["skipped"]) == (stats["to"] - stats["from"], 0)


@pytest.mark.parametrize(
    "changed",
    [{"seq": 10**9}, {"seq": -1}, {"epoch": EPOCH + 1}, {"epoch": 0}],
    ids=["beyond ours", "below all", "another epoch", "none"],
)
def test_a_place_that_is_not_ours_is_answered_by_a_snapshot(changed: dict[str, int]) -> None:
    client = Returning(BOOK)
    client.run(5)
    client.leave()
    client.run(3)
    (snap,) = client.come_back(book=changed)
    assert snap["t"] == "snap"


def test_what_another_gateway_told_is_answered_by_a_snapshot() -> None:
    client = Returning(BOOK)
    client.run(5)
    client.leave()
    client.run(3)
    assert [one["t"] for one in client.come_back("node-2")] == ["snap"]


def test_a_place_from_another_depth_is_nowhere_near() -> None:
    client = Returning(BOOK, depth=10)
    client.run(5)
    client.leave()
    client.options = {"depth": 50}
    assert [one["t"] for one in client.come_back()] == ["snap"]


def test_who_was_away_for_too_long_gets_a_snapshot() -> None:
    client = Returning(BOOK)
    client.scene.ticker.connect(RecordingWire(), BOOK)
    client.run(5)
    client.leave()
    client.run(RING_NS // TICK_NS + 2)
    assert [one["t"] for one in client.come_back()] == ["snap"]


def test_nothing_is_kept_for_ever_of_what_nobody_follows() -> None:
    client = Returning(BOOK)
    client.run(5)
    client.leave()
    client.run(LINGER_NS // TICK_NS + 3)
    assert [one["t"] for one in client.come_back()] == ["snap"]


def test_a_state_that_changed_meanwhile_is_told_whatever_the_place() -> None:
    client = Returning(BOOK, LADDER)
    client.run(5)
    client.leave()
    client.scene.ticker.tick(13)
    client.come_back()
    assert {client.wire.reader.books[name].state for name in (BOOK, LADDER)} == {"live"}
    client.leave()
    client.scene.ticker.tick(13)
    places = client.places()
    client.session = client._connect({"node": NODE, "resume": places})
    client.scene.ticker.tick()
    books = client.wire.reader.books
    assert {books[name].state for name in (BOOK, LADDER)} == {"stale"}
    assert books[LADDER].sides == ({}, {})


def test_the_best_prices_say_how_many_publications_they_merge() -> None:
    client = Returning(BEST)
    client.run(5, changes=40)
    client.leave()
    client.run(4, changes=40)
    (best,) = client.come_back()
    assert (best["p"], best["s"], best["n"], best["resumed"]) == (6, 10, 4, True)


def test_all_trades_that_were_missed_come() -> None:
    client = Returning(TRADES)
    client.run(5, trades=2)
    client.leave()
    client.run(20, trades=20)
    (one,) = client.come_back()
    assert (one["resumed"], one["drop"], one["n"]) == (True, 0, 20)
    trades = [row[4] for message in client.wire.reader.of("trades") for row in message["x"]]
    assert trades == [str(n) for n in range(1, client.scene.maker.traded + 1)]


def test_trades_too_old_to_be_known_are_told_as_a_gap() -> None:
    client = Returning(TRADES)
    client.run(5, trades=1)
    client.leave()
    client.run(RING_NS // TICK_NS + 5, trades=1)
    (one,) = client.come_back()
    assert (one["p"], one["gap"], one["x"], one["drop"]) == (6, one["s"] - 6, [], 0)
    assert "resumed" not in one


def test_a_restarted_gateway_tells_the_trades_it_never_saw_as_a_gap() -> None:
    """It has not joined yet when the client comes back."""
    before, after = Returning(TRADES), Returning(BOOK, joined=False)
    before.run(5, trades=1)
    after.leave()
    after.channels, after.wire = (TRADES,), before.wire
    assert after.come_back("node-0") == []
    after.scene.maker = before.scene.maker
    after.scene.maker.delta()
    after.scene.replica.join([after.scene.maker.key()], after.scene.maker.ts)
    after.scene.tick()
    one = after.wire.reader.of("trades")[-1]
    assert (one["p"], one["s"], one["gap"]) == (6, 8, 2)


@pytest.mark.parametrize("changed", [{"epoch": 1}, {"seq": 10**9}])
def test_trades_of_another_count_are_refused_since_what_was_missed_is_unknown(changed: dict[str, int]) -> None:
    client = Returning(TRADES)
    client.run(5, trades=1)
    client.leave()
    assert client.come_back(trades=changed) == []
    ack = client.wire.reader.of("ack")[-1]
    assert (ack["ok"], ack["err"][0]["code"], ack["err"][0]["ch"]) == ([], 112, TRADES)
    assert client.scene.hub.following == 0


@pytest.mark.parametrize("seed", range(12))
def test_clients_that_come_and_go_at_random_have_the_published_book(seed: int) -> None:
    dice = random.Random(seed)
    client = Returning(BOOK, LADDER, TRADES, rate_ms=dice.choice((0, 100, 250)))
    client.scene.maker.random.seed(seed)
    resumed = 0
    for _ in range(25):
        for _ in range(dice.randrange(1, 6)):
            if dice.random() < 0.2:
                client.scene.publish(client.scene.maker.key())
            client.run(dice.randrange(1, 3), trades=dice.randrange(3))
            if dice.random() < 0.1:
                client.scene.ticker.tick(9)
        client.leave()
        client.run(dice.randrange(8), trades=1)
        resumed += sum("resumed" in one for one in client.come_back())
    client.run(15)
    client.scene.tick(4)
    books = client.wire.reader.books
    assert books[BOOK].ranked() == expected_book(client.scene.maker, "kraken", 25)
    assert books[LADDER].ranked() == expected_ladder(client.scene.maker, 25)
    trades = [row[4] for message in client.wire.reader.of("trades") for row in message["x"]]
    assert trades == [str(n) for n in range(1, client.scene.maker.traded + 1)]
    assert resumed > 10
