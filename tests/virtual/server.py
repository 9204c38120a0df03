"""A model of the Redis that we use: the explicit-ID rule of streams, our functions, channels, expiry; by virtual time.

It is judged against a real server by `tests/virtual/test_leases.py`, and then stands in for one.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

Words = Sequence[bytes]
Id = tuple[int, int]
SMALLER = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
OOM = "OOM command not allowed when used memory > 'maxmemory'."
MISSING = "ERR Function not found"
TTL_SPARE = 10
LAST = 1 << 64  # above every number of an ID


class Refusal(Exception):
    """An error reply; its text is the server's."""


@dataclass
class Stream:
    """Entries by ID, their IDs, oldest first, and the highest ID there ever was."""

    entries: dict[Id, list[bytes]] = field(default_factory=dict)
    ids: list[Id] = field(default_factory=list)
    top: Id = (0, 0)

    def copy(self) -> Stream:
        """Give another that has the same."""
        return Stream(dict(self.entries), list(self.ids), self.top)


def _id(text: bytes, missing: int = 0) -> Id:
    epoch, _, n = text.partition(b"-")
    return int(epoch), int(n) if n else missing


def _name(one: Id) -> bytes:
    return b"%d-%d" % one


class Server:
    """One server; `now_ms` is its clock, `published` gets what is published."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.published: Callable[[bytes, bytes], None] = lambda channel, payload: None
        self.appended: Callable[[bytes, Id, list[bytes]], None] = lambda key, number, words: None
        self.full = False
        self.loaded = True
        self.keys: dict[bytes, Any] = {}
        self._expiry: dict[bytes, int] = {}
        self._commands: dict[bytes, Callable[[Words], Any]] = {
            b"XADD": self._xadd,
            b"XINFO": self._xinfo,
            b"XREVRANGE": self._xrevrange,
            b"XRANGE": self._xrange,
            b"XTRIM": self._xtrim,
            b"PUBLISH": self._publish,
            b"GET": lambda words: self._get(words[1]),
            b"MGET": lambda words: [self._get(key) for key in words[1:]],
            b"SET": self._set,
            b"DEL": self._del,
            b"HGETALL": lambda words: [part for item in self.keys.get(words[1], {}).items() for part in item],
            b"PTTL": lambda words: self._left(words[1]),
            b"HGET": lambda words: self.keys.get(words[1], {}).get(words[2]),
            b"HINCRBY": self._hincrby,
            b"EXPIRE": lambda words: self._expire(words[1], int(words[2]) * 1000),
            b"PING": lambda words: "PONG",
            b"FCALL": self._fcall,
        }
        self._functions: dict[bytes, tuple[bool, Callable[[Words, Words], Any]]] = {
            b"thalweg_beat": (True, self._beat),
            b"thalweg_acquire": (True, self._acquire),
            b"thalweg_release": (True, self._release),
            b"thalweg_spend": (True, lambda keys, args: 0),
            b"thalweg_ban": (True, lambda keys, args: 1),
            b"thalweg_status": (True, self._status),
            b"thalweg_open_out": (False, self._open_out),
            b"thalweg_publish": (False, self._publish_records),
            b"thalweg_checkpoint": (False, self._checkpoint),
        }

    def call(self, words: Words) -> Any:
        """Run one command and give its reply.

        Raises:
            Refusal: the server refuses it.
        """
        for key in [key for key, at in self._expiry.items() if at <= self.now_ms()]:
            self._drop(key)
        return self._commands[words[0].upper()](words)  # a KeyError: the model lacks what somebody has begun to use

    def flush(self) -> None:
        """Lose everything."""
        self.keys.clear()
        self._expiry.clear()

    def copy(self) -> tuple[dict[bytes, Any], dict[bytes, int]]:
        """Give all data, as it may be put in its place later."""
        copied = {key: one if isinstance(one, bytes) else one.copy() for key, one in self.keys.items()}
        return copied, dict(self._expiry)

    def become(self, data: tuple[dict[bytes, Any], dict[bytes, int]]) -> None:
        """Have this data and no other."""
        self.keys, self._expiry = data

    def _drop(self, key: bytes) -> bool:
        self._expiry.pop(key, None)
        return self.keys.pop(key, None) is not None

    def _room(self) -> None:
        if self.full:
            raise Refusal(OOM)

    def _stream(self, key: bytes) -> Stream:
        found = self.keys.get(key)
        return found if isinstance(found, Stream) else Stream()

    def _xadd(self, words: Words) -> bytes:
        self._room()
        return self._append(words[1], _id(words[2]), list(words[3:]))

    def _append(self, key: bytes, number: Id, words: list[bytes]) -> bytes:
        stream = self.keys.setdefault(key, Stream())
        if number <= stream.top:
            raise Refusal(SMALLER)
        stream.entries[number] = words
        stream.ids.append(number)
        stream.top = number
        self.appended(key, number, words)
        return _name(number)

    def _xinfo(self, words: Words) -> list[object]:
        if words[2] not in self.keys:
            raise Refusal("ERR no such key")
        return [b"length", len(self._stream(words[2]).entries), b"last-generated-id", _name(self._stream(words[2]).top)]

    def _between(self, key: bytes, low: bytes, high: bytes) -> list[list[Any]]:
        """Entries from low to high; `(` leaves an end out."""
        stream = self._stream(key)
        ids, start, end = stream.ids, 0, len(stream.ids)
        if low != b"-":
            start = bisect_right(ids, _id(low[1:])) if low[:1] == b"(" else bisect_left(ids, _id(low))
        if high != b"+":
            end = bisect_left(ids, _id(high[1:], LAST)) if high[:1] == b"(" else bisect_right(ids, _id(high, LAST))
        return [[_name(one), stream.entries[one]] for one in ids[start:end]]

    def _xrevrange(self, words: Words) -> list[list[Any]]:
        found = self._between(words[1], words[3], words[2])[::-1]
        return found[: int(words[5])] if len(words) > 5 else found

    def _xrange(self, words: Words) -> list[list[Any]]:
        found = self._between(words[1], words[2], words[3])
        return found[: int(words[5])] if len(words) > 5 else found

    def _xtrim(self, words: Words) -> int:
        stream = self._stream(words[1])
        gone = stream.ids[: bisect_left(stream.ids, _id(words[-1]))]
        del stream.ids[: len(gone)]
        for one in gone:
            del stream.entries[one]
        return len(gone)

    def _publish(self, words: Words) -> int:
        self.published(words[1], words[2])
        return 1

    def _get(self, key: bytes) -> bytes | None:
        found = self.keys.get(key)
        return found if isinstance(found, bytes) else None

    def _set(self, words: Words) -> str:
        self._room()
        self.keys[words[1]] = words[2]
        self._expiry.pop(words[1], None)
        if len(words) > 4:
            self._expire(words[1], int(words[4]) * (1000 if words[3].upper() == b"EX" else 1))
        return "OK"

    def _hincrby(self, words: Words) -> int:
        self._room()
        table = self.keys.setdefault(words[1], {})
        table[words[2]] = b"%d" % (int(table.get(words[2], b"0")) + int(words[3]))
        return int(table[words[2]])

    def _del(self, words: Words) -> int:
        return sum(self._drop(key) for key in words[1:])

    def _expire(self, key: bytes, ttl_ms: int) -> None:
        self._expiry[key] = self.now_ms() + ttl_ms

    def _left(self, key: bytes) -> int:
        """What is left of a key in ms; -1 for ever, -2 for none."""
        if key not in self.keys:
            return -2
        return self._expiry[key] - self.now_ms() if key in self._expiry else -1

    def _fcall(self, words: Words) -> Any:
        if not self.loaded or words[1] not in self._functions:
            raise Refusal(MISSING)
        spare, function = self._functions[words[1]]
        if not spare:
            self._room()
        count = int(words[2])
        return function(words[3 : 3 + count], words[3 + count :])

    def _beat(self, keys: Words, args: Words) -> list[Any]:
        owner, ttl, now = args[0], int(args[1]), self.now_ms()
        members = self.keys.setdefault(keys[0], {})
        members.pop(owner, None)
        if args[2] != b"1":
            members[owner] = now
        for one in [one for one, at in members.items() if at <= now - ttl or at >= now + ttl]:
            del members[one]
        self._expire(keys[0], ttl * TTL_SPARE)
        owners, left = [], []
        for key in keys[1:]:
            held = self._get(key)
            if held == owner:
                self._expire(key, ttl)
            owners.append(held or b"")
            left.append(self._left(key))
        ranked = sorted(members, key=lambda one: (members[one], one))
        if not members:
            self._drop(keys[0])
        return [ranked, owners, left]

    def _acquire(self, keys: Words, args: Words) -> int:
        held = self._get(keys[0])
        if held and held != args[0] and held != args[2]:
            raise Refusal(f"HELD {keys[0].decode()} by {held.decode()}")
        last = max(int(self._get(keys[1]) or b"0"), int(args[3]) if len(args) > 3 else 0)
        epoch = max(self.now_ms(), last + 1)
        self.keys[keys[1]] = b"%d" % epoch
        self.keys[keys[0]] = args[0]
        self._expire(keys[0], int(args[1]))
        return epoch

    def _release(self, keys: Words, args: Words) -> int:
        return int(self._get(keys[0]) == args[0] and self._drop(keys[0]))

    def _status(self, keys: Words, args: Words) -> int:
        found = self.keys.setdefault(keys[0], {})
        if int(args[0]) < int(found.get(b"epoch", b"0")):
            raise Refusal(f"FENCED epoch {found[b'epoch'].decode()} owns {keys[0].decode()}")
        found |= {b"epoch": args[0], **dict(zip(args[1::2], args[2::2], strict=True))}
        return 1

    def _open_out(self, keys: Words, args: Words) -> int:
        epoch, seq, stream = int(args[0]), 0, self._stream(keys[0])
        if stream.entries:
            top, seq = stream.ids[-1]
            if top >= epoch:
                raise Refusal(f"FENCED epoch {top} owns {keys[0].decode()}")
        seq = max(seq, self._kept(keys[1], "seq"), int(args[4]) if len(args) > 4 else 0) + 1
        at, record = int(args[2]), args[3]
        record = record[:at] + struct.pack("<q", seq) + record[at + 8 :]
        self._append(keys[0], (epoch, seq), [b"r", record])
        self.published(args[1], record)
        return seq

    def _publish_records(self, keys: Words, args: Words) -> int:
        for identity, record in zip(args[1::2], args[2::2], strict=True):
            try:
                self._append(keys[0], _id(identity), [b"r", record])
            except Refusal as refusal:
                raise Refusal(f"FENCED {refusal}") from refusal
            self.published(args[0], record)
        return (len(args) - 1) // 2

    def _checkpoint(self, keys: Words, args: Words) -> int:
        if self._kept(keys[0], "epoch") > int(args[0]):
            raise Refusal(f"FENCED a newer epoch owns {keys[0].decode()}")
        if len(keys) > 1 and keys[0] in self.keys:
            self.keys[keys[1]] = self.keys[keys[0]]
        self.keys[keys[0]] = args[1]
        return 1

    def _kept(self, key: bytes, name: str) -> int:
        text = self._get(key)
        return int(orjson.loads(text)[name]) if text else 0
