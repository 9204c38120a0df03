"""Events as XADD commands, the usual ones from templates: the bytes are those that `thalweg.wire` and `resp` give.

A delta or a trade has few forms: its fields differ only in which of them are absent. Each form is one template, filled
in by one formatting; what fits none (an instant that has not 19 digits, a snapshot, a status) goes the general way.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.events import Delta, Event, Trade
from thalweg.resp import pack_words
from thalweg.wire import encode_entry, format_id

_FROM, _TO = 10**18, 10**19  # instants of 19 digits: 2001 to 2286
_NUMBER = b"$%d\r\n%b\r\n"  # a word whose length is not known in advance
_INSTANT = b"$19\r\n%d\r\n"
_ENDS = ("ts_recv", _INSTANT), ("ts_append", _INSTANT)


def _template(*fields: tuple[str, bytes]) -> bytes:
    """Give the template of a command: key, number of the ID and its length go before the values of the fields."""
    words = b"".join(b"$%d\r\n%b\r\n%b" % (len(name), name.encode(), value) for name, value in fields)
    return b"*%d\r\n$4\r\nXADD\r\n" % (3 + 2 * len(fields)) + b"%b" + _NUMBER + words


def _word(text: str) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text.encode())


def _delta(first: bool, last: bool, event: bool) -> bytes:
    given = (("first", first, _NUMBER), ("last", last, _NUMBER), ("ts_event", event, _INSTANT))
    numbers = [(name, value) for name, there, value in given if there]
    return _template(("kind", _word("delta")), *numbers, *_ENDS, ("bids", _NUMBER), ("asks", _NUMBER))


def _trade(event: bool) -> bytes:
    texts = [(name, _NUMBER) for name in ("price", "size", "taker", "id")]
    return _template(("kind", _word("trade")), *texts, *[("ts_event", _INSTANT)] * event, *_ENDS)


_BOTH = (False, True)
_DELTAS = {(a, b, c): _delta(a, b, c) for a in _BOTH for b in _BOTH for c in _BOTH}
_TRADES = {event: _trade(event) for event in _BOTH}


class Packer:
    """Packs what is appended to one stream in one epoch."""

    __slots__ = ("_epoch", "_key", "_word")

    def __init__(self, key: bytes, epoch: int) -> None:
        """Spell the key once."""
        self._key, self._epoch = key, epoch
        self._word = b"$%d\r\n%b\r\n" % (len(key), key)

    def pack(self, event: Event, n: int, ts_append: int) -> bytes:
        """Give the command that appends an event as the epoch's n-th entry, packed at a wall instant."""
        identity = format_id(self._epoch, n)
        if type(event) is Delta:
            command = self._delta(event, identity, ts_append)
        elif type(event) is Trade:
            command = self._trade(event, identity, ts_append)
        else:
            command = None
        return command or pack_words((b"XADD", self._key, identity, *encode_entry(event, ts_append)))

    def _delta(self, event: Delta, identity: bytes, ts_append: int) -> bytes | None:
        first, last, ts_event, ts_recv = event.first, event.last, event.ts_event, event.ts_recv
        bids, asks = event.bids, event.asks
        values: list[object] = [self._word, len(identity), identity]
        if first is not None:
            text = b"%d" % first
            values += (len(text), text)
        if last is not None:
            text = b"%d" % last
            values += (len(text), text)
        if ts_event is not None:
            if not _FROM <= ts_event < _TO:
                return None
            values.append(ts_event)
        if not (_FROM <= ts_recv < _TO and _FROM <= ts_append < _TO):
            return None
        values += (ts_recv, ts_append, 16 * len(bids), bids.tobytes(), 16 * len(asks), asks.tobytes())
        return _DELTAS[first is not None, last is not None, ts_event is not None] % tuple(values)

    def _trade(self, event: Trade, identity: bytes, ts_append: int) -> bytes | None:
        ts_event, ts_recv = event.ts_event, event.ts_recv
        words = (b"%d" % event.price, b"%d" % event.size, event.taker.encode(), event.id.encode())
        values: list[object] = [self._word, len(identity), identity]
        for word in words:
            values += (len(word), word)
        instants: Sequence[int] = (ts_recv, ts_append) if ts_event is None else (ts_event, ts_recv, ts_append)
        if not all(_FROM <= instant < _TO for instant in instants):
            return None
        return _TRADES[ts_event is not None] % (*values, *instants)
