"""The instruments file: the universe that ships, and every file that can't be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from thalweg.errors import SettingsError
from thalweg.instruments import SHARDS, Instrument, Instruments, load_instruments, shard_of

ASSETS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "DOT", "LINK")
VENUES = ("binance", "bybit", "kraken", "coinbase")


def write(folder: Path, text: str) -> Path:
    path = folder / "instruments.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_instruments(path)
    return str(caught.value)


def test_the_default_universe_has_18_instruments_and_54_books() -> None:
    found = load_instruments()
    assert list(found.by_name) == [f"{asset}-{quote}" for quote in ("USDT", "USD") for asset in ASSETS]
    books = {venue: len(found.listings(venue)) for venue in VENUES}
    assert books == {"binance": 9, "bybit": 9, "kraken": 18, "coinbase": 18}
    assert {(one.price_decimals, one.size_decimals) for one in found.by_name.values()} == {(8, 8)}


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [("binance", "DOGEUSDT"), ("bybit", "DOGEUSDT"), ("kraken", "DOGE/USDT"), ("coinbase", "DOGE-USDT")],
)
def test_each_venue_has_its_own_spelling(venue: str, symbol: str) -> None:
    assert load_instruments().listings(venue)[symbol].name == "DOGE-USDT"


def test_of_the_usual_venues_kraken_and_coinbase_alone_quote_dollars() -> None:
    found = load_instruments().only()
    assert found.venues("BTC-USD") == ("kraken", "coinbase")
    assert found.venues("BTC-USDT") == VENUES


def test_every_shard_has_books_and_an_instrument_stays_in_its_shard() -> None:
    shards = [shard_of(name) for name in load_instruments().by_name]
    assert set(shards) == set(range(SHARDS))
    assert [shard_of(name) for name in ("BTC-USDT", "ETH-USDT", "BTC-USD")] == [3, 3, 2]


def test_decimals_default_to_8_and_are_per_instrument(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[A-USD]\nkraken = "A/USD"\nprice_decimals = 2\n[B-USD-PERP]\nokx = "B@x_1.2"\nsize_decimals = 0'
    )
    assert load_instruments(path) == Instruments(
        {
            "A-USD": Instrument("A-USD", 2, 8, {"kraken": "A/USD"}),
            "B-USD-PERP": Instrument("B-USD-PERP", 8, 0, {"okx": "B@x_1.2"}),
        }
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no instrument"),
        ("[A-USD", "instruments.toml"),
        ("v = 1", "'v' is not a table named BASE-QUOTE"),
        ('[btc-usd]\nkraken = "X"', "upper case"),
        ('[BTCUSD]\nkraken = "X"', "BASE-QUOTE"),
        ('["BTC-USD:x"]\nkraken = "X"', "BASE-QUOTE"),
        ('["BTC-USD\\n"]\nkraken = "X"', "BASE-QUOTE"),
        (f'[{"A" * 20}-{"B" * 10}-PERP]\nkraken = "X"', "32 characters"),
        ("[A-USD]", "no venue"),
        ("[A-USD]\nprice_decimals = 2", "no venue"),
        ('[A-USD]\nkraken = "X"\nprice_decimals = 19', "0 to 18"),
        ('[A-USD]\nkraken = "X"\nsize_decimals = -1', "0 to 18"),
        ('[A-USD]\nkraken = "X"\nsize_decimals = 2.0', "0 to 18"),
        ('[A-USD]\nkraken = "X"\nsize_decimals = true', "0 to 18"),
        ('[A-USD]\nkraken = "X"\nsize_decimals = "8"', "0 to 18"),
        ('[A-USD]\nkraken = "X"\nprices_decimals = 2', "prices_decimals"),
        ("[A-USD]\nkraken = 5", "kraken = 5 is not a symbol"),
        ('[A-USD]\nkraken = ""', "not a symbol"),
        ('[A-USD]\nkraken = "A USD"', "not a symbol"),
        ('[A-USD]\nkraken = "A\\nUSD"', "not a symbol"),
        ('[A-USD]\nkraken = "AUSD\\n"', "not a symbol"),
        (f'[A-USD]\nkraken = "{"A" * 41}"', "not a symbol"),
        ('[A-USD]\n"kra ken" = "X"', "'kra ken' is not a venue"),
        ('[A-USD]\n"kraken:3" = "X"', "'kraken:3' is not a venue"),
        (f'[A-USD]\n{"k" * 17} = "X"', "is not a venue"),
        ('usual = "kraken"\n[A-USD]\nkraken = "X"', "usual is not a list of venues"),
        ('usual = ["krakem"]\n[A-USD]\nkraken = "X"', "unknown venue in usual krakem; known: kraken"),
        ('[A-USD]\nkraken = "X"\n[A-EUR]\nkraken = "X"', "A-USD and A-EUR are both X on kraken"),
    ],
)
def test_a_file_that_can_not_be_meant_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    told = refusal(path)
    assert said in told
    assert str(path) in told


def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    assert "missing.toml" in refusal(tmp_path / "missing.toml")
    assert str(tmp_path) in refusal(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"\xff[A-USD]")
    assert "latin.toml" in refusal(path)


def test_a_part_has_only_the_instruments_and_venues_asked_for() -> None:
    part = load_instruments().only(["BTC-USD", "BTC-USDT"], ["binance", "coinbase"])
    assert {name: one.symbols for name, one in part.by_name.items()} == {
        "BTC-USD": {"coinbase": "BTC-USD"},
        "BTC-USDT": {"binance": "BTCUSDT", "coinbase": "BTC-USDT"},
    }


def test_an_instrument_that_no_chosen_venue_lists_is_left_out() -> None:
    assert list(load_instruments().only(["BTC-USD", "BTC-USDT"], ["binance"]).by_name) == ["BTC-USDT"]


def test_without_a_choice_the_part_is_the_usual_venues_and_all_is_the_whole() -> None:
    found = load_instruments()
    assert found.usual == found.only().all_venues == VENUES
    assert found.only(venues=["all"]).by_name == found.by_name
    assert Instruments(found.by_name).only().by_name == found.by_name
    assert found.only(venues=["kraken"]).only(["BTC-USD"]).all_venues == ("kraken",)


def test_an_unknown_name_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(SettingsError, match=r"unknown instrument BTC-EUR; known: BTC-USDT"):
        load_instruments().only(["BTC-USD", "BTC-EUR"])
    with pytest.raises(SettingsError, match=r"unknown venue binanse; known: binance, bybit"):
        load_instruments().only(venues=["binanse", "kraken"])
