"""The topics of prices: a venue's book, the consolidated ladder, and the best of all; `trades.py` has the trades.

Each keeps what its subscribers have, so that a frame is the difference to what the replica says now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.channels import Channel
from gateway.levels import LevelText, Shown, changed_levels, level_texts, top_checksum
from gateway.replica import Replica
from gateway.shapes import encode
from gateway.shapes.market import Best, BestText, Delta, QuoteText, Snap, Standing
from gateway.steps import Steps
from gateway.topic import Frame, Now, Position
from gateway.wording import best_text, flags_text, ladder_state, quote_text, stamps_text, venue_text

REFRESH_NS = 1_000_000_000  # a checksum at least this often, and ages while nothing else changes


def resumed(missed: Sequence[bytes], crc: int) -> bytes:
    """Give messages again, the first marked as what follows a resume, the last with a checksum."""
    texts = [*missed]
    texts[0] = texts[0][:-1] + b',"resumed":true}'
    if b'"crc":' not in texts[-1]:
        texts[-1] = texts[-1][:-1] + b',"crc":%d}' % crc
    return b"\n".join(texts)


@dataclass(slots=True)
class Look:
    """A book or ladder as subscribers have it; `extras` are the other fields of its messages."""

    bids: Shown
    asks: Shown
    extras: Standing


class BookTopic:
    """A venue's book, or the ladder of all live ones, cut to a depth."""

    def __init__(self, channel: Channel, replica: Replica, depth: int, now: Now) -> None:
        """Begin with the book as it is."""
        self._channel, self._depth = channel, depth
        self._steps = Steps(replica)
        self._shown = self._look(now)
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
            extras: Standing = {
                "ts": stamps_text(replica.stamps, now),
                "st": ladder_state(replica),
                "fl": ["crossed"] if quote.crossed else [],
                "q": quote_text(quote, replica.scale),
                "v": {name: venue_text(replica, name, now) for name in replica.scale.venues},
            }
        else:
            bids, asks = replica.tops(venue, self._depth)
            extras = {
                "ts": stamps_text(replica.stamps, now),
                "st": replica.state(venue),
                "fl": flags_text(replica.lines[venue].flags),
            }
        return Look(bids, asks, extras)

    def advance(self, now: Now) -> Frame | None:
        """Step to the book as it is now."""
        steps = self._steps
        if steps.restarted:
            self._shown = self._look(now)
            return steps.take(now)
        if not steps.behind:
            return None
        old, new = self._shown, self._look(now)
        bids = changed_levels(old.bids, new.bids, self._scale)
        asks = changed_levels(old.asks, new.asks, self._scale)
        told = bids or asks or old.extras["st"] != new.extras["st"] or old.extras["fl"] != new.extras["fl"]
        if not told and now.monotonic - self._ts_sent < REFRESH_NS:
            return None
        message = self._delta(new, bids, asks, steps.replica.seq, steps.merged)
        if steps.replica.epoch != steps.position.epoch:
            message["e"] = steps.replica.epoch
        if now.monotonic - self._ts_checked >= REFRESH_NS:
            message["crc"] = top_checksum(new.bids, new.asks, self._scale)
            self._ts_checked = now.monotonic
        self._shown, self._ts_sent = new, now.monotonic
        return steps.take(now, encode(message))

    def _delta(self, new: Look, bids: list[LevelText], asks: list[LevelText], s: int, merged: int = 0) -> Delta:
        message: Delta = {
            "t": "d",
            "ch": self._channel.name,
            "s": s,
            "p": self.position.s,
            "n": merged,
            "b": bids,
            "a": asks,
            "ts": new.extras["ts"],
            "st": new.extras["st"],
            "fl": new.extras["fl"],
        }
        if "v" in new.extras and "q" in new.extras:
            message["v"], message["q"] = new.extras["v"], new.extras["q"]
        return message

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the whole book as subscribers have it; to one who resumes, where that can be, only what came since."""
        missed = self._steps.ring.since(left) if left is not None and left.resumed else None
        if left is not None and missed is not None:
            texts = resumed(missed or [self._unchanged()], self._crc())
            return Frame(texts, left, self.position.applied - left.applied)
        shown, place = self._shown, self.position
        message: Snap = {
            "t": "snap",
            "ch": self._channel.name,
            "e": place.epoch,
            "s": place.s,
            "b": level_texts(shown.bids, self._scale),
            "a": level_texts(shown.asks, self._scale),
            "crc": self._crc(),
            **shown.extras,
        }
        return Frame(encode(message), place, 0)

    def _crc(self) -> int:
        return top_checksum(self._shown.bids, self._shown.asks, self._scale)

    def _unchanged(self) -> bytes:
        """Give a delta to the same book, for one who has missed nothing but its state."""
        return encode(self._delta(self._shown, [], [], self.position.s))

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give the place that a client says it was at; `None` where that can't be trusted."""
        return self._steps.ring.find(epoch, seq)


class BestTopic:
    """Every venue's best bid and offer and the consolidated quote; the latest message says it all."""

    def __init__(self, channel: Channel, replica: Replica, now: Now) -> None:
        """Begin with the best prices as they are."""
        self._channel = channel
        self._steps = Steps(replica)
        self._shown = self._look()
        self._age(now)
        self._ts_sent = now.monotonic

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        return self._steps.position

    def _look(self) -> tuple[dict[str, BestText], QuoteText]:
        """Give what is told but for ages, which alone are no news."""
        replica = self._steps.replica
        venues = {venue: best_text(replica, venue, None) for venue in replica.scale.venues}
        return venues, quote_text(replica.quote(), replica.scale)

    def _age(self, now: Now) -> None:
        replica = self._steps.replica
        self._ages = {venue: replica.age_ms(venue, now.wall) for venue in replica.scale.venues}

    def advance(self, now: Now) -> Frame | None:
        """Step to the best prices as they are now."""
        steps = self._steps
        if not (steps.behind or steps.restarted):
            return None
        new = self._look()
        if new == self._shown and not steps.restarted and now.monotonic - self._ts_sent < REFRESH_NS:
            return None
        self._shown, self._ts_sent = new, now.monotonic
        self._age(now)
        before = steps.position
        frame = steps.take(now)
        frame.text = encode(self._message(before.s, frame.n))
        return frame

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the best prices as subscribers have them."""
        place = self.position
        if left is None or not left.resumed or left.generation != place.generation:
            return Frame(encode(self._message(place.s, 0)), place, 0)
        message = self._message(left.s, merged := place.applied - left.applied)
        message["resumed"] = True
        return Frame(encode(message), left, merged)

    def _message(self, before: int, merged: int) -> Best:
        venues, quote = self._shown
        return {
            "t": "bbo",
            "ch": self._channel.name,
            "e": self.position.epoch,
            "s": self.position.s,
            "p": before,
            "n": merged,
            "v": {venue: {**shown, "age_ms": self._ages[venue]} for venue, shown in venues.items()},
            "q": quote,
        }

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give the place that a client says it was at; `None` where that can't be trusted."""
        return self._steps.ring.find(epoch, seq)
