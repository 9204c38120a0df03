"""Frames a second that ours and a peer's take into books, in turn.

cryptofeed 2.4.1 speaks version 1 of Kraken's protocol, which our captures are not of: it is given the same changes in
that form, with the same digits, whose checksum is the same; both sides check it. Without THALWEG_CAPTURES the frames
are the simulator's.
"""

from __future__ import annotations

import gc
import json
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from tests.bench.frames import frames_of, kind_of
from tests.bench.host import watched
from tests.bench.plan import ROOT, captures
from tests.bench.replay import Replay, Step, bbo
from tests.bench.report import Goal, Row, Table

CYCLES, SLICE_S = 8, 0.25
PYTHON = ROOT / "build/peers/cryptofeed/bin/python"
BOOKS = {
    "binance": b"depthUpdate",
    "bybit": b'"orderbook.',
    "coinbase": b'"l2_data"',
    "kraken": b'"channel":"book","type"',
}
WHOLE = re.compile(rb'"type": ?"snapshot"')
SYMBOL = re.compile(rb'"symbol":"([^"]+)"')
GOAL = Goal(4, 8, above=True)


class Ours:
    """Our side: changes are timed, whole books are not."""

    def __init__(self, replay: Replay) -> None:
        self._replay, self._tracks = replay, replay.tracks()

    def play(self, seconds: float) -> float:
        """Play for so many seconds of CPU and give frames a second."""
        frames, spent = 0, 0.0
        while spent < seconds:
            session, _ = self._replay.session()
            tracks = session.tracks
            start = process_time()
            for step, place in zip(self._replay.steps, self._tracks, strict=True):
                if place is None:
                    spent += process_time() - start
                    self._replay.take(session, step)
                    start = process_time()
                    continue
                session.frame(step.data, step.ts, step.ts)
                bbo(tracks[place])
                frames += 1
            spent += process_time() - start
        return frames / spent


class Theirs:
    """The peer's process, asked for a slice at a time."""

    def __init__(self, venue: str, frames: Path) -> None:
        program = Path(__file__).with_name("theirs.py")
        self.process = subprocess.Popen(
            [str(PYTHON), str(program), venue, str(frames)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def play(self, seconds: float) -> float:
        """Have it play for so many seconds of CPU and give frames a second."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        frames, spent = self.process.stdout.readline().split()
        return float(frames) / float(spent)


def books_alone(replay: Replay, venue: str) -> Replay:
    """Keep book frames; Coinbase's count of frames is made dense again, so that none seems to be missing."""
    steps = [step for step in replay.steps if step.fetched or BOOKS[venue] in step.data]
    if venue == "coinbase":
        number = re.compile(rb'"sequence_num":\s*\d+')
        steps = [Step(number.sub(b'"sequence_num":%d' % k, s.data, count=1), s.ts) for k, s in enumerate(steps)]
    return Replay(replay.venue, steps, replay.answers)


def for_theirs(replay: Replay) -> dict[str, Any]:
    """Give the same frames as the peer's side reads them."""
    groups: list[dict[str, Any]] = []
    form = kraken_v1 if replay.venue.name == "kraken" else bytes
    for step in replay.steps:
        if step.fetched:
            continue  # it asks for these itself
        whole = WHOLE.search(step.data) is not None
        if not groups or groups[-1]["whole"] != whole:
            groups.append({"whole": whole, "frames": []})
        groups[-1]["frames"].append(form(step.data).decode())
    answers = {url: body.decode() for url, body in replay.answers.items()}
    if form is kraken_v1:
        pairs = {pair_v1(symbol.decode()) for step in replay.steps for symbol in SYMBOL.findall(step.data)}
        answers["/AssetPairs"] = json.dumps({"result": {pair: {"wsname": pair} for pair in pairs}})
    return {"groups": groups, "answers": answers}


def stays(level: dict[str, str]) -> bool:
    """Tell whether a level is there after a change."""
    return float(level["qty"]) > 0


def last_of_each(levels: list[dict[str, str]]) -> list[dict[str, str]]:
    """Give what each price comes to."""
    return list({level["price"]: level for level in levels}.values())


def pair_v1(symbol: str) -> str:
    """Give version 1's name of what version 2 names so."""
    return symbol.replace("BTC/", "XBT/")


def kraken_v1(frame: bytes) -> bytes:
    """Give a book frame of version 2 as version 1 has it: the same digits, as text.

    Removals go first: the peer cuts its book to the depth at each level that comes, not at the frame's end. Of a price
    that comes more than once the last is told, which is what counts.
    """
    told = json.loads(frame, parse_float=str, parse_int=str)
    (book,) = told["data"]
    names = ("bs", "as") if told["type"] == "snapshot" else ("b", "a")
    sides: dict[str, Any] = {
        name: [[one["price"], one["qty"], "1.0"] for one in sorted(last_of_each(book[side]), key=stays)]
        for name, side in zip(names, ("bids", "asks"), strict=True)
        if book[side] or names[0] == "bs"
    }
    return json.dumps([1, sides | {"c": book["checksum"]}, "book-25", pair_v1(book["symbol"])]).encode()


def compare(venue: str, folder: Path | None) -> Row:
    """Play slices in turn and give the medians over cycles."""
    replay = books_alone(frames_of(folder, venue), venue)
    with tempfile.TemporaryDirectory() as place:
        frames = Path(place) / "frames.json"
        frames.write_text(json.dumps(for_theirs(replay)), encoding="utf-8")
        ours, theirs = Ours(replay), Theirs(venue, frames)
        try:
            ours.play(0.1), theirs.play(0.1)
            gc.collect()
            gc.freeze()
            with watched() as host:
                pairs = [(ours.play(SLICE_S), theirs.play(SLICE_S)) for _ in range(CYCLES)]
        finally:
            theirs.process.kill()
            theirs.process.wait()
    ratio = median(one / other for one, other in pairs)
    figures = {"ours /s": median(one for one, _ in pairs), "cryptofeed /s": median(other for _, other in pairs)}
    return Row(venue, {**figures, "times": ratio}, host, {"times": GOAL})


def compare_books() -> Table:
    """Compare on the frames of every venue."""
    folder = captures()
    table = Table(
        "peers",
        "frames a second of CPU, ours and cryptofeed 2.4.1",
        f"every book change, {kind_of(folder)}, again and again; whole books untimed (but those that Binance answers)",
        f"one process each, {CYCLES} cycles, {SLICE_S:g} s of CPU in turn; medians, and of each cycle's ratio",
        "the frame is in memory",
        "decoded, checked, in the book, best bid and offer read",
    )
    table.rows = [compare(venue, folder) for venue in BOOKS]
    return table
