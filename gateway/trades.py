"""The topic of trades: each is sent once, or counted as left out."""

from __future__ import annotations

from gateway.channels import Channel
from gateway.replica import Replica
from gateway.shapes import encode
from gateway.shapes.market import Trades
from gateway.steps import Steps
from gateway.topic import Frame, Now, Position
from gateway.wording import trade_text

CATCH_UP_TRADES = 200  # newest trades that one who fell behind still gets
LOST = -1  # a generation that no replica has: nothing that came after such a place is known


class TradesTopic:
    """Every trade of all venues, in order; nothing is said in a tick without one."""

    def __init__(self, channel: Channel, replica: Replica) -> None:
        """Begin with the next trade."""
        self._channel = channel
        self._steps = Steps(replica, sure=True)

    @property
    def position(self) -> Position:
        """How far the frames have come."""
        return self._steps.position

    def advance(self, now: Now) -> Frame | None:
        """Give the trades since the last frame."""
        steps = self._steps
        if steps.restarted:
            return steps.take(now)
        before = self.position
        if steps.replica.traded == before.trades:
            return None
        frame = steps.take(now)
        frame.text = encode(self._message(before, frame.n))
        return frame

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the newest trades to one who fell behind, and to who joins none, but where it stands if anywhere.

        What a restarted replica never saw can't be counted as trades; it is told as `gap`, in publications.
        """
        place = self.position
        if left is None:
            return Frame(encode(self._message(place, 0)) if place.epoch else b"", place, 0)
        same = left.generation == place.generation
        frame = Frame(b"", left, place.applied - left.applied if same else 0)
        message = self._message(left, frame.n, None if left.resumed else CATCH_UP_TRADES)
        if not same and left.s:
            message["gap"] = max(place.s - left.s, 0)
        if left.resumed:
            message["resumed"] = True
        frame.text = encode(message)
        return frame

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give the place that a client says it was at, or in the same epoch one since which all is lost, to be told."""
        place = self.position
        if not place.epoch or (place.epoch == epoch and seq < place.s):
            lost = Position(seq, place.applied, place.trades, LOST, epoch)
            return self._steps.ring.find(epoch, seq) or lost
        return self._steps.ring.find(epoch, seq)

    def _message(self, left: Position, merged: int, most: int | None = None) -> Trades:
        """Give the trades since `left`, at most so many, and how many are left out."""
        replica, place = self._steps.replica, self.position
        first = left.trades if most is None else max(left.trades, place.trades - most)
        rows = [trade_text(trade, replica.scale) for trade in replica.recent(first, place.trades)]
        return {
            "t": "trades",
            "ch": self._channel.name,
            "e": place.epoch,
            "s": place.s,
            "p": left.s,
            "n": merged,
            "x": rows,
            "drop": place.trades - left.trades - len(rows),
        }
