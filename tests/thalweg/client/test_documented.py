"""The programs of docs/clients.md, run as they stand there against a whole gateway."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.gateway.test_service import Running, serving

DOCUMENT = Path(__file__).parents[3] / "docs" / "clients.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_two() -> None:
    assert len(PROGRAMS) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_document_runs(program: str, redis_url: str, tmp_path: Path) -> None:
    async with serving(Running(redis_url, tmp_path)) as running:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, f"ws://127.0.0.1:{running.port}/ws/v1",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        talking = asyncio.ensure_future(child.communicate())
        async with asyncio.timeout(30):
            while not talking.done():
                running.step(0)
                await asyncio.wait({talking}, timeout=0.05)
        told, faults = talking.result()
    assert (child.returncode, faults) == (0, b"")
    assert len(told.splitlines()) >= 3
