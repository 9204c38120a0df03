"""The same capture makes the same bytes in `out:`, at any speed; another one does not."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis

from tests.examples.programs import ROOT
from thalweg.capture import Line, format_line
from thalweg.cli.pinning import Pinned, Progress, digest, merged, play
from thalweg.cli.reading import CaptureFile
from thalweg.cli.replay import replayed
from thalweg.cli.server import load_functions
from thalweg.cursor import Published
from thalweg.instruments import load_instruments
from thalweg.streams.source import publications
from thalweg.transport import RedisLink

FRAMES = (ROOT / "tests" / "frames" / "kraken" / "vector.jsonl").read_bytes().splitlines()
STEP_NS = 50_000_000
BEGAN = 1_764_000_000_000_000_000


def capture(path: Path, frames: Sequence[bytes]) -> CaptureFile:
    """What a recorder that was killed leaves: whole members, and a piece of one."""
    lines = [format_line(Line(BEGAN + number * STEP_NS, 1, "<", frame)) for number, frame in enumerate(frames)]
    head = b'{"v":1,"venue":"kraken"}\n'
    path.write_bytes(gzip.compress(head + b"".join(lines)) + gzip.compress(lines[0])[:-9])
    return CaptureFile(path)


async def played(url: str, file: CaptureFile, speed: float) -> tuple[str, int, list[Published]]:
    """Play into an empty server; give the digest, the number of publications, and them."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
    link = RedisLink(url, "replay")
    await link.connect()
    await load_functions(link)
    instruments = load_instruments().only(["BTC-USD"], ["kraken"])
    files = {"kraken": [file]}
    await play(link, Pinned(files, instruments), merged(files), speed, Progress())
    found, count = await digest(link, instruments.by_name)
    items = [item async for item in publications(link, ["BTC-USD"], wait=False)]
    await link.close()
    return found, count, [item for item in items if isinstance(item, Published)]


@pytest.mark.anyio
async def test_two_replays_make_the_same_bytes_at_any_speed(redis_url: str, tmp_path: Path) -> None:
    file = capture(tmp_path / "a.jsonl.gz", FRAMES)
    first = await played(redis_url, file, 0)
    second = await played(redis_url, file, 4)
    assert first[:2] == second[:2]
    assert [item.record for item in first[2]] == [item.record for item in second[2]]
    assert file.torn > 0
    assert [item.seq for item in first[2]] == list(range(1, first[1] + 1))
    assert first[2][-1].publication.venues[0].state == "live"


@pytest.mark.anyio
async def test_another_capture_makes_other_bytes(redis_url: str, tmp_path: Path) -> None:
    whole = await played(redis_url, capture(tmp_path / "a.jsonl.gz", FRAMES), 0)
    less = await played(redis_url, capture(tmp_path / "b.jsonl.gz", FRAMES[:-1]), 0)
    assert whole[0] != less[0]


def test_lines_of_several_venues_come_in_the_order_of_their_instants(tmp_path: Path) -> None:
    files = {}
    for venue, instants in (("kraken", (1, 3, 3)), ("bybit", (1, 2, 3))):
        path = tmp_path / f"{venue}.jsonl"
        path.write_bytes(b"".join(format_line(Line(ts, 1, "<", b"")) for ts in instants))
        files[venue] = [CaptureFile(path)]
    order = [(line.ts, venue) for venue, line in merged(files)]
    assert order == [(1, "kraken"), (1, "bybit"), (2, "bybit"), (3, "kraken"), (3, "kraken"), (3, "bybit")]


def test_the_page_is_told_what_is_replayed(tmp_path: Path) -> None:
    files = {"kraken": [capture(tmp_path / "a.jsonl.gz", FRAMES)]}
    told = replayed(files, 10)["THALWEG_REPLAY"]
    assert told == "a.jsonl.gz, recorded 2025-11-24 16:00:00 UTC, at 10 times its pace"
