"""Talks to the simulator as its operator: asks for its report, pauses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from thalweg.errors import ThalwegError

RETRY_S = 0.05
START_S = 15.0  # a loaded machine imports slowly
ANSWER_S = 5.0


async def ask(url: str, operation: str) -> dict[str, Any]:
    """Send one request to the control socket and give its answer.

    Raises:
        ThalwegError: the simulator does not answer.
    """
    try:
        async with asyncio.timeout(ANSWER_S), connect(url, proxy=None, max_size=None) as socket:
            await socket.send(json.dumps({"op": operation}))
            answer = json.loads(await socket.recv())
    except (OSError, WebSocketException, TimeoutError, ValueError) as error:
        raise ThalwegError(f"the simulator does not answer {operation!r}: {error}") from error
    if not isinstance(answer, dict) or "error" in answer:
        raise ThalwegError(f"the simulator refused {operation!r}: {answer}")
    return answer


async def until_answering(url: str) -> None:
    """Wait until the simulator listens.

    Raises:
        ThalwegError: it does not within `START_S`.
    """
    try:
        async with asyncio.timeout(START_S):
            while True:
                try:
                    async with connect(url, proxy=None):
                        return
                except (OSError, InvalidHandshake):
                    await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        raise ThalwegError(f"the simulator does not answer within {START_S:.0f} s; its log says why") from error
