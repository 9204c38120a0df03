from __future__ import annotations

from gateway.rest import books
from gateway.topic import Now
from tests.gateway.publications import MS, Maker
from tests.gateway.rest.held import NOW, held

UNIT = 10**8
TWO = ({9_990: UNIT}, {10_010: UNIT}), ({9_985: UNIT}, {10_000: UNIT})


def test_a_grouped_ladder_adds_up_who_quotes_what() -> None:
    answer = books.ladder(held(*TWO).replicas["BTC-USDT"], 5, 20, NOW)
    assert answer["group"] == "0.2"
    assert answer["bids"] == [["99.8", "2", {"binance": "1", "kraken": "1"}]]
    assert answer["asks"] == [["100", "1", {"kraken": "1"}], ["100.2", "1", {"binance": "1"}]]


def test_spreads_are_in_basis_points_of_the_mid() -> None:
    answer = books.spreads(held(*TWO).replicas["BTC-USDT"], NOW)
    assert (answer["spread_bps"], answer["quote"]["spread"]) == ("10.01", "0.1")
    assert answer["venues"]["binance"]["spread_bps"] == "20.00"


def test_an_empty_side_has_no_spread() -> None:
    answer = books.spreads(held(({}, {10_010: UNIT}), ({}, {})).replicas["BTC-USDT"], NOW)
    assert (answer["spread_bps"], answer["venues"]["kraken"]["spread"]) == (None, None)


def test_the_newest_trades_are_the_last() -> None:
    replica, maker = held(*TWO).replicas["BTC-USDT"], Maker(seq=1)
    replica.receive(maker.delta(0, 5), NOW.wall)
    answer = books.trades(replica, 2, NOW)
    assert [row[4] for row in answer["trades"]] == ["4", "5"]
    assert len(books.trades(replica, 50, NOW)["trades"]) == 5


def test_the_tag_changes_with_levels_and_states_but_not_with_age() -> None:
    hub = held(*TWO)
    replica = hub.replicas["BTC-USDT"]
    tags = [books.tag(replica, 25, None)]
    assert books.tag(replica, 25, None) == tags[0]
    tags.append(books.tag(replica, 10, None))
    hub.set_part("redis", False, "gone", Now(NOW.wall + MS, NOW.monotonic))
    tags.append(books.tag(replica, 25, None))
    replica.receive(Maker(seq=1).delta(), NOW.wall)
    tags.append(books.tag(replica, 25, None))
    assert len(set(tags)) == 4
