"""The client's side of the protocol without I/O: what to ask, what a message changes, and whether to come back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from thalweg.client.book import Book, Message
from thalweg.errors import GatewayTrouble

LAST_RETURNING, LAST_OWN = 4199, 4999  # close codes up to the first: come back; above: do not
TOO_BIG = 1009
UNRECOVERABLE = 112
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 20.0


def may_return(code: int) -> bool:
    """Whether a client whose connection ended with this code should come back."""
    return code != TOO_BIG and not LAST_RETURNING < code <= LAST_OWN


def wait_s(attempt: int, after_ms: int, chance: float) -> float:
    """Give how long to wait before attempt 0, 1, 2, ...: up to twice as long each time, and never less than told."""
    return after_ms / 1000 + chance * min(FIRST_WAIT_S * (1 << min(attempt, 10)), LONGEST_WAIT_S)


@dataclass(slots=True)
class Counts:
    """What went wrong and was mended."""

    reconnects: int = 0
    resumed: int = 0
    mismatches: int = 0  # books asked for anew: a sequence or a checksum was not as it should be
    lost_trades: int = 0  # left out, as the gateway says
    gaps: int = 0  # in trades: an unknown number is lost


@dataclass(slots=True)
class Conversation:
    """One client's wishes and what it has; lives longer than its connections."""

    books: dict[str, Book] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    after_ms: int = 0
    _wanted: dict[str, tuple[int, int]] = field(default_factory=dict)
    _places: dict[str, tuple[int, int]] = field(default_factory=dict)  # epoch and sequence applied last
    _node: str = ""
    _due: list[Message] = field(default_factory=list)
    _later: list[Message] = field(default_factory=list)
    _asked: dict[int, Message] = field(default_factory=dict)
    _number: int = 0

    def want(self, channels: tuple[str, ...], depth: int, rate_ms: int) -> None:
        """Subscribe to channels, now and after every lost connection."""
        self._wanted |= dict.fromkeys(channels, (depth, rate_ms))
        self._ask({"op": "subscribe", "ch": list(channels), "depth": depth, "rate_ms": rate_ms})

    def due(self) -> list[Message]:
        """Take the requests that are to be sent."""
        due, self._due = self._due, []
        return due

    def _ask(self, request: Message) -> None:
        self._number += 1
        numbered = {**request, "id": self._number}
        self._asked[self._number] = numbered
        self._due.append(numbered)

    def lose(self) -> None:
        """Note that the connection is gone: no book is live, and all that is wanted has to be asked for again."""
        self.counts.reconnects += 1
        for book in self.books.values():
            book.state = "disconnected"
        self._due, self._later, self._asked = [], [], {}
        for depth, rate_ms in dict.fromkeys(self._wanted.values()):
            names = [name for name, wish in self._wanted.items() if wish == (depth, rate_ms)]
            known = [name for name in names if name in self._places and self._is_right(name)]
            resume = {name: dict(zip(("epoch", "seq"), self._places[name], strict=True)) for name in known}
            more = {"node": self._node, "resume": resume} if resume else {}
            self._ask({"op": "subscribe", "ch": names, "depth": depth, "rate_ms": rate_ms, **more})

    def _is_right(self, name: str) -> bool:
        return name not in self.books or self.books[name].is_known

    def take(self, text: str) -> list[Message]:
        """Apply a frame and give its messages, but for those of a book that has been asked for anew.

        Raises:
            GatewayTrouble: a channel was refused for good.
        """
        messages = [json.loads(line) for line in text.split("\n")]
        return [message for message in messages if self._apply(message)]

    def _apply(self, message: Message) -> bool:
        match message["t"]:
            case "hello":
                self._node = message["node"]
            case "ack":
                self._acknowledged(message)
            case "err":
                self._refused(message)
            case "hb":
                self._due += self._later
                self._later = []
            case "bye":
                self.after_ms = message["after_ms"]
            case "snap" | "d":
                return self._book(message)
            case "bbo" | "trades":
                self._places[message["ch"]] = message["e"], message["s"]
                self.counts.lost_trades += message.get("drop", 0)
                self.counts.gaps += "gap" in message
        self.counts.resumed += message.get("resumed", False)
        return True

    def _book(self, message: Message) -> bool:
        name = message["ch"]
        book = self.books.setdefault(name, Book(name))
        waiting = not book.is_known and message["t"] == "d"
        if book.apply(message):
            self._places[name] = book.epoch, book.seq
            self.counts.resumed += message.get("resumed", False)
            return True
        if not waiting:  # else it has been asked for already
            self.counts.mismatches += 1
            self._places.pop(name, None)
            depth, rate_ms = self._wanted[name]
            self._ask({"op": "unsubscribe", "ch": [name]})
            self._ask({"op": "subscribe", "ch": [name], "depth": depth, "rate_ms": rate_ms})
        return False

    def _acknowledged(self, message: Message) -> None:
        request = self._asked.pop(message["id"], {})
        for refused in message["err"]:
            if refused["code"] != UNRECOVERABLE:
                raise GatewayTrouble(f"{refused['ch']}: {refused['msg']}")
            self.counts.gaps += 1
            again = {key: request[key] for key in ("op", "depth", "rate_ms")}
            self._ask({**again, "ch": [refused["ch"]]})

    def _refused(self, message: Message) -> None:
        request: Any = self._asked.get(message.get("id", 0))
        if message["retry"] and request:
            self._later.append(request)  # the next heartbeat is a second away
        elif not message["retry"]:
            raise GatewayTrouble(f"refused: {message['msg']}")
