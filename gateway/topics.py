"""The topics of market data: a venue's book, the consolidated ladder, the best prices and the trades.

Each keeps what its subscribers have, so that a frame is the difference to what the replica says now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.channels import Channel
from gateway.levels import Shown, changed_levels, level_texts, top_checksum
from gateway.replica import Replica
from gateway.topic import Frame, Now, Position
from gateway.wording import best_text, flags_text, ladder_state, quote_text, stamps_text, trade_text, venue_text

REFRESH_NS = 1_000_000_000  # a checksum at least this often, and ages while nothing else changes
CATCH_UP_TRADES = 200  # newest trades that one who fell behind still gets


class Steps:
    """Where a topic stands in its replica, and how many publications lie between its frames."""

    def __init__(self, replica: Replica) -> None:
        """Begin at the replica's newest publication."""
        self.replica = replica
        self.position = Position(replica.seq, 0, replica.traded, replica.generation)
        self._applied = replica.applied
        self._trouble = replica.trouble

    @property
    def restarted(self) -> bool:
        """Whether the replica began anew, so that sequences do not continue."""
        return self.position.generation != self.replica.generation

    @property
    def behind(self) -> bool:
        """Whether the replica has changed since the last step."""
        return self._applied != self.replica.applied or self._trouble != self.replica.trouble

    def take(self, text: bytes = b"") -> Frame:
        """Step to the replica's newest publication and give the frame of the step."""
        replica, place = self.replica, self.position
        frame = Frame(text, place, replica.applied - self._applied, self.restarted)
        self.position = Position(replica.seq, place.merged + frame.n, replica.traded, replica.generation)
        self._applied, self._trouble = replica.applied, replica.trouble
        return frame

    def header(self, kind: str, channel: Channel) -> dict[str, Any]:
        """Give the first fields of a message that steps to the newest publication."""
        replica = self.replica
        return {
            "t": kind,
            "ch": channel.name,
            "s": replica.seq,
            "p": self.position.s,
            "n": replica.applied - self._applied,
        }


@dataclass(slots=True)
class Look:
    """A book or ladder as subscribers have it; `extras` are the other fields of its messages."""

    bids: Shown
    asks: Shown
    extras: dict[str, Any]


class BookTopic:
    """A venue's book, or the ladder of all live ones, cut to a depth."""

    def __init__(self, channel: Channel, replica: Replica, depth: int, now: Now) -> None:
        """Begin with the book as it is."""
        self._channel, self._depth = channel, depth
        self._steps = Steps(replica)
        self._shown = self._look(now)
        self._epoch = replica.epoch
        self._ts_sent = self._ts_checked = now.monotonic
        scale = replica.scale
        self._scale = scale if channel.kind == "cbook" else type(scale)(scale.price_decimals, scale.size_decimals)

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        return self._steps.position

    def _look(self, now: Now) -> Look:
        replica, venue = self._steps.replica, self._channel.venue
        if self._channel.kind == "cbook":
            bids, asks = replica.ladder(self._depth)
            quote = replica.quote()
            extras = {
                "st": ladder_state(replica),
                "fl": ["crossed"] if quote.crossed else [],
                "q": quote_text(quote, replica.scale),
                "v": {name: venue_text(replica, name, now) for name in replica.scale.venues},
            }
        else:
            bids, asks = replica.tops(venue, self._depth)
            extras = {"st": replica.state(venue), "fl": flags_text(replica.lines[venue].flags)}
        return Look(bids, asks, {"ts": stamps_text(replica.stamps, now)} | extras)

    def advance(self, now: Now) -> Frame | None:
        """Step to the book as it is now."""
        steps = self._steps
        if steps.restarted:
            self._shown, self._epoch = self._look(now), steps.replica.epoch
            return steps.take()
        if not steps.behind:
            return None
        old, new = self._shown, self._look(now)
        bids = changed_levels(old.bids, new.bids, self._scale)
        asks = changed_levels(old.asks, new.asks, self._scale)
        told = bids or asks or any(old.extras[key] != new.extras[key] for key in ("st", "fl"))
        if not told and now.monotonic - self._ts_sent < REFRESH_NS:
            return None
        message = steps.header("d", self._channel) | {"b": bids, "a": asks} | new.extras
        if now.monotonic - self._ts_checked >= REFRESH_NS:
            message["crc"] = top_checksum(new.bids, new.asks, self._scale)
            self._ts_checked = now.monotonic
        self._shown, self._epoch, self._ts_sent = new, steps.replica.epoch, now.monotonic
        return steps.take(orjson.dumps(message))

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the whole book as subscribers have it."""
        shown = self._shown
        message = {
            "t": "snap",
            "ch": self._channel.name,
            "e": self._epoch,
            "s": self.position.s,
            "b": level_texts(shown.bids, self._scale),
            "a": level_texts(shown.asks, self._scale),
            "crc": top_checksum(shown.bids, shown.asks, self._scale),
        }
        return Frame(orjson.dumps(message | shown.extras), self.position, 0)


class BestTopic:
    """Every venue's best bid and offer and the consolidated quote; the latest message says it all."""

    def __init__(self, channel: Channel, replica: Replica, now: Now) -> None:
        """Begin with the best prices as they are."""
        self._channel = channel
        self._steps = Steps(replica)
        self._shown = self._look()
        self._ages = self._look_at_ages(now)
        self._ts_sent = now.monotonic

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        return self._steps.position

    def _look(self) -> dict[str, Any]:
        replica = self._steps.replica
        venues = {
            venue: best_text(replica, venue)
            | {"st": replica.state(venue), "fl": flags_text(replica.lines[venue].flags)}
            for venue in replica.scale.venues
        }
        return {"v": venues, "q": quote_text(replica.quote(), replica.scale)}

    def _look_at_ages(self, now: Now) -> dict[str, int | None]:
        replica = self._steps.replica
        return {venue: replica.age_ms(venue, now.wall) for venue in replica.scale.venues}

    def advance(self, now: Now) -> Frame | None:
        """Step to the best prices as they are now."""
        steps = self._steps
        if not (steps.behind or steps.restarted):
            return None
        new = self._look()
        if new == self._shown and not steps.restarted and now.monotonic - self._ts_sent < REFRESH_NS:
            return None
        self._shown, self._ages, self._ts_sent = new, self._look_at_ages(now), now.monotonic
        return steps.take(self._text(steps.header("bbo", self._channel)))

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the best prices as subscribers have them."""
        s = self.position.s
        return Frame(self._text({"t": "bbo", "ch": self._channel.name, "s": s, "p": s, "n": 0}), self.position, 0)

    def _text(self, head: dict[str, Any]) -> bytes:
        venues = {venue: shown | {"age_ms": self._ages[venue]} for venue, shown in self._shown["v"].items()}
        return orjson.dumps(head | {"v": venues, "q": self._shown["q"]})


class TradesTopic:
    """Every trade of all venues, in order; nothing is said in a tick without one."""

    def __init__(self, channel: Channel, replica: Replica) -> None:
        """Begin with the next trade."""
        self._channel = channel
        self._steps = Steps(replica)

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        return self._steps.position

    def advance(self, now: Now) -> Frame | None:
        """Give the trades since the last frame."""
        steps = self._steps
        if steps.restarted:
            return steps.take()
        if steps.replica.traded == self.position.trades:
            return None
        head = steps.header("trades", self._channel)
        return steps.take(self._text(head, self.position.trades, steps.replica.traded))

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the newest trades to one who fell behind, and nothing to one who joins.

        What a restarted replica never saw can't be counted as trades; it is told as `gap`, in publications.
        """
        place = self.position
        if left is None:
            return Frame(b"", place, 0)
        same = left.generation == place.generation
        frame = Frame(b"", left, place.merged - left.merged if same else 0)
        head = {"t": "trades", "ch": self._channel.name, "s": place.s, "p": left.s, "n": frame.n}
        if not same and left.s:
            head["gap"] = max(place.s - left.s, 0)
        frame.text = self._text(head, left.trades, place.trades, CATCH_UP_TRADES)
        return frame

    def _text(self, head: dict[str, Any], first: int, end: int, most: int | None = None) -> bytes:
        """Give the trades numbered `first` to `end` (not included), at most so many, and how many are left out."""
        replica = self._steps.replica
        trades = replica.recent(first if most is None else max(first, end - most), end)
        rows = [trade_text(trade, replica.scale) for trade in trades]
        return orjson.dumps(head | {"x": rows, "drop": end - first - len(rows)})
