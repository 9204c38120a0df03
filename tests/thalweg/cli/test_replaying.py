"""What was recorded is played again, byte for byte; what is recorded from that is the same once more."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.venues import VENUES
from thalweg.capture import Line, format_line, parse_line
from thalweg.cli import main, recording
from thalweg.cli.embedded import free_port
from thalweg.cli.plan import endpoints
from thalweg.cli.reading import CaptureFile
from thalweg.cli.recording import Recorder
from thalweg.cli.replaying import Player, Tape, load_tape
from thalweg.errors import CaptureError
from thalweg.settings import load_settings

MS = 1_000_000
BOOK = b'{"stream":"btcusdt@depth@100ms","data":{}}'
BODY = b'{"lastUpdateId":7,"bids":[],"asks":[]}'
REST = "https://elsewhere/api/v3/depth?symbol=BTCUSDT&limit=1000"


def capture(path: Path, *lines: Line) -> Path:
    head = json.dumps({"v": 1, "venue": "binance"}).encode() + b"\n"
    data = head + b"".join(map(format_line, lines))
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def tape_of(path: Path) -> Tape:
    return load_tape([CaptureFile(path)])


def tape(folder: Path) -> Tape:
    said = VENUES["binance"].subscribe(["ETHUSDT"])[0].encode()
    return tape_of(
        capture(
            folder / "binance.jsonl.gz",
            Line(0, 1, ">", b"something else"),
            Line(1 * MS, 1, "<", b"not for us"),
            Line(0, 2, ">", said),
            Line(2 * MS, 2, "<", BOOK),
            Line(3 * MS, 2, "h", BODY, REST, 200),
            Line(4 * MS, 2, "<", "\u00e9\U0001f600".encode()),
        )
    )


@pytest.mark.anyio
async def test_a_recording_of_a_replay_is_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SPLICE_S", 0.0)
    port, ready = free_port(), asyncio.Event()
    player = Player({"binance": tape(tmp_path)}, 0)
    settings = load_settings(endpoints(port, load_settings({})))
    listings = settings.instruments.only(["ETH-USDT"], ["binance"]).listings("binance")
    file = tmp_path / "again.jsonl"
    with file.open("wb") as opened:
        recorder = Recorder(VENUES["binance"], settings, opened)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(player.run(port, ready.set))]
            await ready.wait()
            tasks.append(group.create_task(recorder.run(listings)))
            async with asyncio.timeout(10):
                await player.over(1)
            for _ in range(500):
                if recorder.frames < 2:
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
    lines = [line for line in map(parse_line, file.read_bytes().splitlines()) if line]
    assert [line.data for line in lines if line.direction == "<"] == [BOOK, "\u00e9\U0001f600".encode()]
    assert lines[0].data == VENUES["binance"].subscribe(["ETHUSDT"])[0].encode()
    assert lines[0].url == f"ws://127.0.0.1:{port}/binance/stream"
    assert player.frames == 2


def test_a_client_is_played_the_connection_in_which_the_same_was_said(tmp_path: Path) -> None:
    loaded = tape(tmp_path)
    chosen = loaded.choose({VENUES["binance"].subscribe(["ETHUSDT"])[0].encode()})
    assert chosen is not None
    assert chosen.lines[0].data == BOOK


def test_clients_that_say_something_else_are_played_each_in_turn(tmp_path: Path) -> None:
    loaded = tape(tmp_path)
    played = [loaded.choose({b"?"}) for _ in range(3)]
    assert [one.lines[0].data for one in played if one] == [b"not for us", BOOK, b"not for us"]


def test_what_was_said_is_known_again_at_another_time_and_a_greeting_is_what_came_before_it(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "binance.jsonl",
        Line(0, 1, "<", b"not a word was said"),
        Line(0, 2, "<", b"welcome"),
        Line(1 * MS, 2, ">", b'{"time":1789456334,"for":"A"}'),
        Line(2 * MS, 2, "<", BOOK),
    )
    loaded = load_tape([CaptureFile(path)])
    assert [line.data for line in loaded.greeting()] == [b"welcome"]
    chosen = loaded.choose({b'{"time":1800000000,"for":"A"}'})
    assert chosen is not None
    assert [line.data for line in chosen.lines[chosen.greeting :]] == [BOOK]


def test_answers_come_one_after_the_other_and_the_last_again() -> None:
    loaded = Tape()
    loaded.answers["depth", "BTCUSDT"] = [Line(0, 1, "h", b"1", REST, 200), Line(1, 1, "h", b"2", REST, 200)]
    found = [loaded.answer("/binance/api/v3/depth?limit=5&symbol=BTCUSDT") for _ in range(3)]
    assert [line.data for line in found if line] == [b"1", b"2", b"2"]
    assert loaded.answer("/binance/api/v3/depth?symbol=ETHUSDT") is None


@pytest.mark.parametrize("content", [b'{"d":"<"}\n', b"not json\n"])
def test_a_bad_line_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"v":1}\n' + content)
    with pytest.raises(CaptureError, match="line 2"):
        load_tape([CaptureFile(path)])


def test_a_capture_that_is_damaged_is_refused_in_words(tmp_path: Path) -> None:
    path = capture(tmp_path / "bad.jsonl.gz", Line(0, 1, "<", bytes(range(256)) * 40))
    path.write_bytes(path.read_bytes()[:200] + b"....." + path.read_bytes()[205:])
    shown = CliRunner().invoke(main, ["replay", f"kraken={path}"])
    assert shown.exit_code == 1
    assert f"thalweg: {path} is damaged near byte" in shown.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["replay", "krakn=x.jsonl"], "say VENUE=FILE, where VENUE is one of"),
        (["replay", "nowhere.jsonl"], "nowhere.jsonl can't be read"),
        (["record", "krakn"], "unknown venue krakn"),
        (["record", "kraken", "bybit", "--output", "one.jsonl"], "has no {venue} in it, but there are 2 venues"),
        (["record", "kraken", "--output", "/nowhere/at/all.jsonl"], "can't be written"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], text: str) -> None:
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 2
    assert text in shown.output
    assert shown.output.count("\n") == 1


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "kraken.jsonl"
    path.write_text("mine")
    shown = CliRunner().invoke(main, ["record", "kraken", "--output", str(path)])
    assert "is there already; --force writes over it" in shown.output
    assert path.read_text() == "mine"
