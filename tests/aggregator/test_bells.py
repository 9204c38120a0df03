from __future__ import annotations

import pytest

from aggregator.bells import SILENT_NS, Bells, channel_of
from thalweg.errors import WireError
from thalweg.instruments import Instrument, Instruments

INSTRUMENTS = Instruments(
    {
        "BTC-USDT": Instrument("BTC-USDT", 8, 8, {"binance": "BTCUSDT", "kraken": "BTC/USDT"}),
        "ETH-USDT": Instrument("ETH-USDT", 8, 8, {"binance": "ETHUSDT"}),
    }
)
BELL = channel_of("BTC-USDT", "binance")


def test_a_ring_names_the_streams_that_grew_once() -> None:
    bells = Bells(INSTRUMENTS)

    bells.ring(BELL, b"BTC-USDT 7-3\n", 1)

    assert bells.grown() == [(("BTC-USDT", "binance"), (7, 3))]
    assert bells.grown() == []


def test_an_older_ring_does_not_hide_a_newer_one() -> None:
    bells = Bells(INSTRUMENTS)

    bells.ring(BELL, b"BTC-USDT 8-1", 1)
    bells.ring(BELL, b"BTC-USDT 7-900", 1)

    assert bells.tops["BTC-USDT", "binance"] == (8, 1)


def test_lines_for_instruments_we_do_not_follow_are_passed_over() -> None:
    bells = Bells(INSTRUMENTS)

    bells.ring(BELL, b"DOGE-USDT 7-3\nBTC-USDT 7-4", 1)

    assert bells.grown() == [(("BTC-USDT", "binance"), (7, 4))]


def test_a_line_without_a_number_is_an_error_and_still_a_sign_of_life() -> None:
    bells = Bells(INSTRUMENTS)

    with pytest.raises(WireError):
        bells.ring(BELL, b"BTC-USDT soon", 5)

    assert bells.heard(BELL, 5) is True


def test_a_bell_is_unheard_then_heard_then_silent_then_heard() -> None:
    bells = Bells(INSTRUMENTS)
    seen = [bells.heard(BELL, 0)]

    bells.ring(BELL, b"", 100)
    seen += [bells.heard(BELL, 100 + SILENT_NS), bells.heard(BELL, 101 + SILENT_NS)]
    bells.ring(BELL, b"", 200 + SILENT_NS)

    assert [*seen, bells.heard(BELL, 201 + SILENT_NS)] == [None, True, False, True]


def test_a_bell_speaks_for_its_own_venue_alone() -> None:
    bells = Bells(INSTRUMENTS)

    bells.ring(BELL, b"", 1)

    assert bells.heard(channel_of("BTC-USDT", "kraken"), 1) is None
