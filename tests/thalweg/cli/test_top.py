"""What `thalweg top` makes of the gateway's messages, how it looks, and that it leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.test_service import Running, serving
from thalweg.cli.desk.model import Desk, ordered
from thalweg.cli.desk.picture import View, clip, duration, lines, press
from thalweg.cli.top import keys

WIDTH, HEIGHT = 160, 12


def status(venue: str, instrument: str, state: str, **more: Any) -> dict[str, Any]:
    return {"t": "status", "ex": venue, "sym": instrument, "st": state, "fl": [], "age_ms": 100, **more}


def best(instrument: str, seq: int, **venues: tuple[str, str]) -> dict[str, Any]:
    told = {
        venue: {"bid": bid, "bid_size": "1", "ask": ask, "ask_size": "2.5", "st": "live", "fl": [], "age_ms": 20}
        for venue, (bid, ask) in venues.items()
    }
    return {"t": "bbo", "ch": f"bbo:*:{instrument}", "s": seq, "v": told}


def desk() -> Desk:
    one = Desk()
    one.take({"t": "hello", "node": "gw-1"}, 100.0)
    for message in (
        status("binance", "BTC-USDT", "live"),
        status("kraken", "BTC-USDT", "stale", why="gap"),
        status("kraken", "ETH-USD", "live", age_ms=9000),
        {"t": "status", "sys": "redis", "st": "live", "why": ""},
        {"t": "status", "sys": "aggregator", "st": "down", "why": "no heartbeat"},
        best("BTC-USDT", 10, binance=("64999.5", "65000.5")),
        best("ETH-USD", 10, kraken=("3000", "3030")),
        {"t": "metrics", "hops": [{"hop": "total", "by": "gateway", "p50": 850.0, "p99": 12345.0}]},
    ):
        one.take(message, 100.0)
    one.take(best("BTC-USDT", 60, binance=("64999.5", "65000.5")), 102.0)
    return one


def test_an_instrument_is_new_once() -> None:
    one = Desk()
    assert one.take(status("binance", "BTC-USDT", "live"), 1.0) == "BTC-USDT"
    assert one.take(status("kraken", "BTC-USDT", "live"), 1.0) is None


def test_spread_rate_and_age_are_worked_out() -> None:
    rows = desk().rows
    assert rows["binance", "BTC-USDT"].spread() == Decimal(1) / Decimal(130000) * 20000
    assert rows["binance", "BTC-USDT"].rate == 25.0
    assert rows["kraken", "ETH-USD"].age(103.0) == pytest.approx(3.02)
    assert rows["kraken", "BTC-USDT"].spread() is None


def test_a_sequence_that_begins_anew_gives_no_rate_below_zero() -> None:
    one = desk()
    one.take(best("BTC-USDT", 1, binance=("1", "2")), 103.0)
    assert one.rows["binance", "BTC-USDT"].rate is None


@pytest.mark.parametrize(
    ("by", "first"),
    [("state", "stale"), ("venue", "binance"), ("instrument", "BTC-USDT"), ("age", "stale"), ("spread", "ETH-USD")],
)
def test_the_worst_comes_first(by: str, first: str) -> None:
    row = ordered(desk(), by, "", 102.0)[0]
    assert first in (row.venue, row.instrument, row.state)


def test_a_filter_is_any_part_of_venue_instrument_or_state() -> None:
    assert [row.venue for row in ordered(desk(), "venue", "STALE", 102.0)] == ["kraken"]
    assert len(ordered(desk(), "venue", "btc", 102.0)) == 2


def picture(view: View, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    return lines(desk(), view, 102.5, width, height)


def test_the_picture_says_it_in_words() -> None:
    shown = picture(View(colour=False))
    assert shown[0].startswith(
        "thalweg  2 of 3 live (1 stale)   redis live  aggregator down (no heartbeat)   gateway gw-1"
    )
    assert shown[1] == "p50/p99  total 850us/12.3ms"
    assert re.search(r"kraken +BTC-USDT +stale +2\.6s .* gap$", shown[4])
    assert re.search(r"25 +1 +64999\.5 +65000\.5 +2\.5 +0\.15$", shown[5].rstrip())
    assert "1-3 of 3 by state" in shown[-1]


def test_points_stand_below_one_another() -> None:
    rows = [line for line in picture(View(colour=False)) if " live " in line][1:]
    assert len({line.index("65000.5") + 5 if "65000.5" in line else line.index("3030") + 4 for line in rows}) == 1


@pytest.mark.parametrize(("width", "height"), [(160, 12), (80, 24), (20, 3), (1, 1), (300, 60)])
def test_no_line_is_wider_and_no_picture_higher_than_the_terminal(width: int, height: int) -> None:
    shown = picture(View(), width, height)
    assert len(shown) == height or height > 5
    assert len(shown) <= height
    assert all(len(re.sub(r"\x1b\[\d+m", "", line)) <= width for line in shown)


def test_colour_is_only_where_it_is_wanted() -> None:
    assert "\x1b" in "".join(picture(View()))
    assert "\x1b" not in "".join(picture(View(colour=False)))


def test_a_silent_gateway_is_told() -> None:
    assert "gateway silent for 8 s" in lines(desk(), View(colour=False), 110.0, WIDTH, HEIGHT)[0]


def test_a_coloured_line_is_cut_by_what_is_seen() -> None:
    assert clip("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m"


def test_three_figures_are_shown_of_a_duration() -> None:
    assert [duration(us) for us in (3.4, 850, 12345, 1_234_567)] == ["3us", "850us", "12.3ms", "1.23s"]


def test_keys_sort_filter_move_and_leave() -> None:
    view = View()
    for key in ["a", "/", "q", "x", "backspace", "enter"]:
        assert press(view, key, 10)
    assert (view.by, view.wanted, view.typing) == ("age", "q", False)
    assert [press(view, key, 10) for key in ("pagedown", "down", "up", " ")] == [True] * 4
    assert (view.top, view.frozen) == (10, True)
    press(view, "escape", 10)
    assert view.wanted == ""
    assert not press(view, "q", 10)


def test_what_a_terminal_sends_becomes_keys() -> None:
    assert keys("a\x1b[A\x1b[6~\x1bOB\x7f\r") == ["a", "up", "pagedown", "down", "backspace", "enter"]
    assert keys("\x1b") == ["escape"]
    assert keys("\x1b[99~") == [""]


@pytest.fixture
async def running(redis_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(Running(redis_url, tmp_path)) as one:
        yield one


@pytest.mark.anyio
async def test_it_draws_in_a_terminal_and_gives_it_back(running: Running) -> None:
    running.step()
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = _top(theirs, running.port)
    try:
        seen = await _until(ours, b"of 2 live")
        os.write(ours, b"q")
        seen += await _until(ours, b"\x1b[?1049l")
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.wait()
    assert seen.count(b"\x1b[?1049h") == 1
    assert b"Traceback" not in seen
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def _top(terminal: int, port: int) -> subprocess.Popen[bytes]:
    environ = os.environ | {"THALWEG_PORT": str(port), "COLUMNS": "150", "LINES": "20"}
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "top"]
    return subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environ)


async def _until(terminal: int, wanted: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(15):
        while wanted not in seen:
            seen += await asyncio.to_thread(os.read, terminal, 65536)
    return seen


@pytest.mark.anyio
async def test_programs_get_one_object(running: Running) -> None:
    running.step()
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "top", "--json"]
    environ = os.environ | {"THALWEG_PORT": str(running.port)}
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=subprocess.PIPE)
    told, _ = await process.communicate()
    found = json.loads(told)
    assert process.returncode == 0
    assert {row["venue"] for row in found["books"]} >= {"kraken"}
    assert set(found) == {"books", "parts", "hops"}


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "top", "--url", "ws://127.0.0.1:1/ws/v1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "no gateway answers" in done.stderr
    assert "Traceback" not in done.stderr
