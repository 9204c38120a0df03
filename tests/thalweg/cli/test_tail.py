"""`thalweg tail`: which streams a pattern fits, and one exact line an entry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import redis
from click.testing import CliRunner

from thalweg import keys
from thalweg.cli import main
from thalweg.cli.tail import View, line_of, matching
from thalweg.errors import SettingsError
from thalweg.events import Delta, Event, Flag, Open, State, Status, Taker, Trade
from thalweg.instruments import load_instruments
from thalweg.read import Entry, Item, Lapped
from thalweg.wire import encode_entry

INSTRUMENTS = load_instruments().only()
BIDS = np.array([[6_500_012_345_678, 1], [6_500_000_000_000, 0]], dtype=np.int64)
DELTA = Delta("kraken", "BTC-USD", BIDS, BIDS[:0], None, None, 5, 1_700_000_000_123_000_000)
TRADE = Trade("kraken", "BTC-USD", 6_500_000_000_000, 150_000_000, Taker.SELL, "77", 5, 1_700_000_000_000_000_000)


def shown(item: Event | Item, *, trades: bool = False, raw: bool = False, as_json: bool = False) -> str | None:
    if not isinstance(item, Entry | Lapped):
        assert isinstance(item, Delta | Trade | Status | Open)
        item = Entry("BTC-USD", "kraken", 5, 12, item, 9)
    return line_of(item, View(INSTRUMENTS, trades, raw, as_json))


@pytest.mark.parametrize(
    ("patterns", "count"),
    [(["*"], 54), (["kraken:*"], 18), (["*:BTC-USDT"], 4), (["kraken:BTC-*", "kraken:BTC-USD"], 2)],
)
def test_patterns_choose_streams(patterns: list[str], count: int) -> None:
    assert len(matching(INSTRUMENTS, patterns)) == count


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"no stream fits 'krakn:\*'; a pattern is VENUE:INSTRUMENT"):
        matching(INSTRUMENTS, ["krakn:*"])


def test_numbers_are_exact_decimal_text() -> None:
    assert shown(DELTA) == (
        "22:13:20.123 kraken:BTC-USD                 12 delta    bids 65000.12345678 x 0.00000001, 65000 gone"
    )
    assert shown(TRADE) == "22:13:20.000 kraken:BTC-USD                 12 trade    sell 1.5 @ 65000  id 77"


def test_raw_numbers_are_the_streams_integers() -> None:
    assert "bids 6500012345678 x 1, 6500000000000 gone" in (shown(DELTA, raw=True) or "")


def test_only_trades_when_asked() -> None:
    assert shown(DELTA, trades=True) is None
    assert "trade" in (shown(TRADE, trades=True) or "")


def test_states_and_openings_are_words() -> None:
    status = Status("kraken", "BTC-USD", State.LIVE, Flag.LATE | Flag.CROSSED, "", 1, 1)
    assert (shown(status) or "").endswith("status   live late crossed: no reason given")
    opened = Open("kraken", "BTC-USD", 8, 8, 25, "checksum", None, 1)
    assert (shown(opened) or "").endswith("open     8 and 8 decimals, depth 25, detector checksum, verified depth all")
    unchecked = shown(replace(opened, detector="none")) or ""
    assert unchecked.endswith("detector none, verified depth nothing")


def test_json_has_every_field() -> None:
    assert json.loads(shown(TRADE, as_json=True) or "") == {
        "venue": "kraken",
        "instrument": "BTC-USD",
        "entry": "5-12",
        "kind": "trade",
        "price": "65000",
        "size": "1.5",
        "taker": "sell",
        "id": "77",
        "ts_event": 5,
        "ts_recv": 1_700_000_000_000_000_000,
        "ts_append": 9,
    }
    assert json.loads(shown(DELTA, as_json=True) or "")["bids"] == [["65000.12345678", "0.00000001"], ["65000", "0"]]


def test_a_loss_is_a_line_of_its_own() -> None:
    lost = Lapped(keys.stream("BTC-USD", "kraken"), 5, 3, 8)
    assert shown(lost) == "! st:{BTC-USD}:kraken: 3 to 8 of epoch 5 were trimmed before they were read"
    assert json.loads(shown(lost, as_json=True) or "")["kind"] == "lapped"


def test_it_prints_what_is_in_redis(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        flat = encode_entry(TRADE, 9)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        client.xadd(keys.stream("BTC-USD", "kraken"), fields, id="5-1")
    shown = CliRunner().invoke(main, ["tail", "kraken:BTC-USD", "--count", "1"], env={"REDIS_URL": redis_url})
    assert (shown.exit_code, shown.output.split(maxsplit=3)[3]) == (0, "trade    sell 1.5 @ 65000  id 77\n")


def test_a_lost_connection_is_told_and_reading_goes_on_where_it_was(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        key = keys.stream("BTC-USD", "kraken")
        fields = encode_entry(Trade("kraken", "BTC-USD", 1, 1, Taker.BUY, "1", 1, 1), 1)
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        client.xadd(key, pairs, id="5-1")
        command = [
            sys.executable,
            "-c",
            "from thalweg.cli import main; main()",
            "tail",
            "kraken:BTC-USD",
            "--count",
            "2",
        ]
        environ = os.environ | {"REDIS_URL": redis_url}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as tail:
            assert tail.stdout is not None
            lines = [tail.stdout.readline()]
            client.client_kill_filter(_type="normal", skipme=True)
            client.xadd(key, pairs, id="5-2")
            lines += tail.stdout.readlines()
    assert [line.split()[0] == "!" for line in lines[:2]] == [False, True]
    assert "reading on when the server is back" in lines[1]
    assert "       2 trade" in lines[2]
