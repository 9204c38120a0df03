"""`thalweg decode`: real captures, captures with a line missing, and hostile ones."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.decoding import Decoding
from ingest.venues import VENUES
from thalweg.errors import CaptureError

FILES = {
    "binance": "binance-us.jsonl.gz",
    "bybit": "bybit-spot.jsonl.gz",
    "coinbase": "coinbase-advanced.jsonl.gz",
    "kraken": "kraken-btcusd-d25.jsonl.gz",
}


def decoded(venue: str, lines: Iterable[bytes]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the stats and events of a capture."""
    decoding = Decoding(VENUES[venue])
    events = b"".join(decoding.run(io.BytesIO(b"".join(lines)))).splitlines()
    return json.loads(decoding.stats()), [json.loads(event) for event in events]


def lines_of(captures: Path, venue: str) -> list[bytes]:
    """Give the lines of a shared capture."""
    return gzip.decompress((captures / FILES[venue]).read_bytes()).splitlines(keepends=True)


def is_book_delta(line: bytes) -> bool:
    """Tell whether a capture line holds changes to a book."""
    found = json.loads(line)
    if found["d"] != "<":
        return False
    frame = json.loads(found["f"])
    topic = frame.get("topic") or frame.get("stream") or frame.get("channel") or ""
    book = topic == "book" or topic.startswith("orderbook") or "@depth" in topic or topic == "l2_data"
    return book and "snapshot" not in found["f"][:300]


@pytest.mark.parametrize("venue", FILES)
def test_a_real_capture_decodes_without_a_gap(captures: Path, venue: str) -> None:
    stats, events = decoded(venue, lines_of(captures, venue))
    assert (stats["bad_frames"], stats["gaps"], stats["refused"]) == (0, 0, {})
    assert stats["books"]
    assert all(book["state"] == "live" and not book["crossed"] for book in stats["books"].values())
    assert sum(stats["events"].values()) == len(events)
    if venue == "kraken":
        assert (stats["checksums_ok"], stats["checksums_bad"]) == (2052, 0)


@pytest.mark.parametrize(
    ("venue", "part"), [("binance", 0.3), ("binance", 0.8), ("bybit", 0.3), ("bybit", 0.8), ("coinbase", 0.6)]
)
def test_a_missing_book_line_is_found_at_the_next_frame(captures: Path, venue: str, part: float) -> None:
    lines = lines_of(captures, venue)
    deltas = [k for k, line in enumerate(lines) if is_book_delta(line)]
    cut = deltas[int(len(deltas) * part)]
    frame = json.loads(json.loads(lines[cut])["f"])
    whole, _ = decoded(venue, lines)
    stats, events = decoded(venue, lines[:cut] + lines[cut + 1 :])
    gaps = [event for event in events if event["kind"] == "status" and event["state"] == "stale"]
    assert gaps[0]["reason"] in ("gap", "connection gap")
    later = [json.loads(line) for line in lines[cut + 1 :]]
    name = frame.get("topic") or frame.get("stream")
    following = next(one for one in later if one["d"] == "<" and (name is None or f'"{name}"' in one["f"]))
    assert gaps[0]["ts_recv"] == following["t"]
    assert stats["gaps"] == whole["gaps"] + 1
    assert any(book["state"] != "live" for book in stats["books"].values())


def top_tens(lines: Iterable[bytes]) -> dict[int, object]:
    """Give the best ten a side after each book frame, by its instant, kept in plain dicts of decimal text."""
    books: tuple[dict[Decimal, str], dict[Decimal, str]] = ({}, {})
    tops: dict[int, object] = {}
    for line in map(json.loads, lines):
        frame = json.loads(line["f"], parse_float=str) if line["d"] == "<" else {}
        if frame.get("channel") != "book":
            continue
        for side, name in zip(books, ("bids", "asks"), strict=True):
            for level in frame["data"][0][name]:
                side[Decimal(level["price"])] = level["qty"]
                if not Decimal(level["qty"]):
                    side.pop(Decimal(level["price"]))
        bids, asks = sorted(books[0], reverse=True), sorted(books[1])
        for side, prices in ((books[0], bids), (books[1], asks)):
            for price in prices[25:]:
                del side[price]
        tops[line["t"]] = ([(p, books[0][p]) for p in bids[:10]], [(p, books[1][p]) for p in asks[:10]])
    return tops


def test_a_missing_kraken_line_is_found_at_the_first_frame_whose_top_ten_differs(captures: Path) -> None:
    """There is no sequence at Kraken: what lies below the top ten is declared by `verified_depth`, not hidden."""
    lines = lines_of(captures, "kraken")
    deltas = [k for k, line in enumerate(lines) if is_book_delta(line)]
    truth = top_tens(lines)
    found = 0
    for at in (100, 280, 400, 550, 700):
        cut = [*lines[: deltas[at]], *lines[deltas[at] + 1 :]]
        wrong = [instant for instant, top in top_tens(cut).items() if top != truth[instant]]
        stats, events = decoded("kraken", cut)
        gaps = [event for event in events if event["kind"] == "status" and event["state"] == "stale"]
        assert [gap["ts_recv"] for gap in gaps] == wrong[:1]
        assert stats["checksums_bad"] == len(gaps)
        assert stats["books"]["BTC-USD"]["state"] == ("stale" if gaps else "live")
        found += len(gaps)
    assert found


def frame(text: str | bytes, direction: str = "<") -> bytes:
    """Give a capture line for a frame."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return json.dumps({"t": 1, "c": 1, "d": direction, "f": text}).encode() + b"\n"


HOSTILE = {
    "empty": "",
    "truncated": '{"topic":"orderbook.200.BTCUSDT","type":"snap',
    "not json": "hello",
    "nested": "[" * 100_000,
    "nested objects": '{"channel":' * 100_000,
    "a number": "7",
    "a list": "[]",
    "null": "null",
    "not unicode": "\udcff",
    "unknown": '{"topic":"unheard.of","channel":"unheard_of","stream":"x@unheard","e":"unheard","data":[]}',
    "16 MiB of spaces": " " * 2**24,
    "16 MiB of text": '{"topic":"' + "x" * 2**24 + '"}',
}


@pytest.mark.parametrize("venue", FILES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_counted(venue: str, name: str) -> None:
    stats, events = decoded(venue, [frame(HOSTILE[name])])
    assert stats["frames"] == 1
    assert stats["bad_frames"] + sum(stats["ignored"].values()) + sum(stats["refused"].values()) == 1
    assert events == []


NUMBERS = ["null", "NaN", "1e400", '""', '"1_000"', '"-1"', '"٣"', '"' + "9" * 30 + '"', "1e-20", "{}", "true", "[]"]


BOOK_FRAMES = {
    "binance": """{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,
        "b":[[PRICE,"1"]],"a":[]}}""",
    "bybit": """{"topic":"orderbook.200.BTCUSDT","ts":1,"type":"snapshot",
        "data":{"s":"BTCUSDT","b":[[PRICE,"1"]],"a":[],"u":5,"seq":1},"cts":1}""",
    "coinbase": """{"channel":"l2_data","client_id":"","timestamp":"2026-01-01T00:00:00Z","sequence_num":0,
        "events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid",
        "event_time":"2026-01-01T00:00:00Z","price_level":PRICE,"new_quantity":"1"}]}]}""",
    "kraken": """{"channel":"book","type":"snapshot",
        "data":[{"symbol":"BTC/USD","bids":[{"price":PRICE,"qty":1.0}],"asks":[],"checksum":1}]}""",
}


@pytest.mark.parametrize("venue", FILES)
@pytest.mark.parametrize("price", NUMBERS)
def test_a_price_that_does_not_fit_never_becomes_a_level(venue: str, price: str) -> None:
    price = price.strip('"') if venue == "kraken" and price.startswith('"') and price != '""' else price
    stats, events = decoded(venue, [frame(BOOK_FRAMES[venue].replace("PRICE", price))])
    assert stats["bad_frames"] + sum(stats["refused"].values()) == 1
    assert not [event for event in events if event["kind"] in ("snapshot", "delta")]
    assert not [book for book in stats["books"].values() if book["bids"] or book["state"] == "live"]


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"t":1}', b'{"t":"x","d":"<"}', b'{"v":9}', b"\xff\xfe", b'{"t":1,"d":"<","b64":"!"}']
)
def test_a_line_that_is_not_of_the_format_is_refused_by_its_number(text: bytes) -> None:
    with pytest.raises(CaptureError, match="line 2"):
        decoded("kraken", [frame("{}"), text + b"\n"])


def binance_delta(first: int, last: int, connection: int = 1, symbol: str = "BTCUSDT", at: int = 1) -> bytes:
    """Give a capture line for changes of a book at Binance."""
    found = {"e": "depthUpdate", "E": at, "s": symbol, "U": first, "u": last, "b": [["99", "1"]], "a": []}
    return json.dumps({"t": at, "c": connection, "d": "<", "f": json.dumps(found)}).encode() + b"\n"


def binance_book(last: int, symbol: str = "BTCUSDT") -> bytes:
    """Give a capture line for a whole book fetched at Binance."""
    body = json.dumps({"lastUpdateId": last, "bids": [["100", "1"]], "asks": [["101", "1"]]})
    url = f"https://api/api/v3/depth?symbol={symbol}&limit=1000"
    return json.dumps({"t": 1, "c": 0, "d": "h", "s": 200, "u": url, "f": body}).encode() + b"\n"


CLOSED = b'{"t":1,"c":1,"d":"x","s":1006}\n'


@pytest.mark.parametrize("again", [1, 2])
def test_after_a_close_the_book_is_of_the_new_connection_alone(again: int) -> None:
    lines = [binance_delta(10, 11), binance_book(11), CLOSED]
    lines += [binance_delta(30, 31, again), binance_book(31), binance_delta(32, 32, again)]
    stats, events = decoded("binance", lines)
    assert [event["kind"] for event in events] == ["snapshot", "status", "status", "snapshot", "status", "delta"]
    assert [event["state"] for event in events if event["kind"] == "status"] == ["live", "stale", "live"]
    assert stats["events"] == {"snapshot": 2, "delta": 1, "trade": 0, "status": 3}
    assert (stats["gaps"], stats["books"]["BTC-USDT"]["sequence"]) == (0, 32)


def test_a_new_connection_of_the_same_number_counts_from_its_own_start() -> None:
    frames = [BOOK_FRAMES["coinbase"].replace("PRICE", '"7"').replace('"sequence_num":0', '"sequence_num":5')]
    frames.append(BOOK_FRAMES["coinbase"].replace("PRICE", '"8"'))
    stats, _ = decoded("coinbase", [frame(frames[0]), CLOSED, frame(frames[1])])
    assert (stats["books"]["BTC-USD"]["state"], stats["books"]["BTC-USD"]["best_bid"]) == ("live", "8")


@pytest.mark.parametrize("others", [[], [binance_delta(1, 1, 2, "ETHUSDT")]])
def test_a_whole_book_that_came_before_any_frame_of_its_symbol_is_spliced(others: list[bytes]) -> None:
    stats, _ = decoded("binance", [*others, binance_book(11), binance_delta(10, 12), binance_delta(13, 13)])
    found = stats["books"]["BTC-USDT"]
    assert (found["state"], found["sequence"], stats["gaps"]) == ("live", 13, 0)


def test_a_whole_book_of_which_nothing_changed_is_shown() -> None:
    stats, events = decoded("binance", [binance_delta(1, 1, symbol="ETHUSDT"), binance_book(11)])
    assert (stats["books"]["BTC-USDT"]["state"], len(events)) == ("live", 2)
