"""Waiting by looking, for what sets no event of ours: what is in a server, or in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(holds: Callable[[], object], within_s: float = 10.0, look_s: float = 0.02) -> None:
    """Look again and again until something holds.

    Raises:
        TimeoutError: it does not come to hold after about so many seconds.
    """
    for _ in range(round(within_s / look_s)):
        if holds():
            return
        await asyncio.sleep(look_s)
    raise TimeoutError(f"it does not hold after {within_s} s of looking")
