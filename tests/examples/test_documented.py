"""The programs of docs/consume.md, and the one that writes Parquet, run as they stand there."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.examples.feed import Feed
from tests.examples.programs import FOLDER, ROOT
from thalweg.transport import RedisLink

FOLLOWING, FRAMES, READING = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "consume.md").read_text(encoding="utf-8"), re.DOTALL
)


async def run(url: str, *words: str) -> str:
    """Run a program while a book is written, and give what it said."""
    link = RedisLink(url, "writer")
    await link.connect()
    feed = Feed(link, "binance", "BTC-USDT")
    await feed.open()
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=-1, stderr=-1)
    talking = asyncio.ensure_future(child.communicate())
    async with asyncio.timeout(30):
        while not talking.done():
            await feed.deltas(1)
            await asyncio.wait({talking}, timeout=0.02)
    await link.close()
    told, faults = talking.result()
    assert child.returncode == 0, faults.decode()
    return told.decode()


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; thalweg does not need it")


@pytest.mark.anyio
async def test_the_first_program_shows_a_live_book(redis_url: str) -> None:
    assert len((await run(redis_url, "-c", FOLLOWING, redis_url)).splitlines()) == 4


@pytest.mark.anyio
async def test_arrays_become_frames(redis_url: str) -> None:
    needs("pandas", "polars")
    assert "shape: (10, 2)" in await run(redis_url, "-c", FRAMES, redis_url)


@pytest.mark.anyio
async def test_levels_go_to_parquet_and_make_the_book_again(redis_url: str, tmp_path: Path) -> None:
    needs("pyarrow", "polars")
    file = str(tmp_path / "levels.parquet")
    await run(redis_url, str(FOLDER / "to_parquet.py"), redis_url, "binance:BTC-USDT", "1.5", file)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", READING, file, stdout=-1)
    assert "shape: (600, 3)" in (await child.communicate())[0].decode()
