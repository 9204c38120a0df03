"""Whose turn it is to be read: a few connections in each turn of the event loop."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

AT_ONCE = 3  # of whom something is read in one turn of the loop


class Reader(Protocol):
    """A connection that reads when it is its turn."""

    loop: Any
    transport: Any

    def read(self, data: bytes) -> None:
        """Read what has come."""
        ...


class Turns:
    """What clients sent in one turn of the loop: all beyond the first few is put off to the next turns, in order.

    A handshake takes half a millisecond, and to go on with four books a quarter; when hundreds of clients come back at
    once, a tick has to wait for few of them. From shortly before a tick until it is written nobody is read at all.
    """

    def __init__(self) -> None:
        """Begin with nothing put off."""
        self._waiting: deque[tuple[Reader, bytes]] = deque()
        self._taken = 0
        self._held = False
        self._loop: Any = None

    def take(self, protocol: Reader, data: bytes) -> None:
        """Have a connection read what it was sent, now or in a later turn; until then nothing more is read of it."""
        if protocol.loop is not self._loop:  # what an earlier loop was to do will not be done
            self._loop, self._taken, self._held = protocol.loop, 0, False
            self._waiting.clear()
        if self._taken < AT_ONCE and not self._waiting and not self._held:
            self._begin()
            protocol.read(data)
        else:
            protocol.transport.pause_reading()
            self._waiting.append((protocol, data))

    def hold(self) -> None:
        """Put everyone off until `release`."""
        self._held = True

    def release(self) -> None:
        """Go on with those that were put off."""
        self._held = False
        if self._waiting and not self._taken:
            self._turn()

    def _begin(self) -> None:
        if not self._taken:
            self._loop.call_soon(self._turn)
        self._taken += 1

    def _turn(self) -> None:
        """Begin anew, with those that wait."""
        self._taken = 0
        while self._waiting and self._taken < AT_ONCE and not self._held:
            protocol, data = self._waiting.popleft()
            self._begin()
            if not protocol.transport.is_closing():
                protocol.transport.resume_reading()
                protocol.read(data)
