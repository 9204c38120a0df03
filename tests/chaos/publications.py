"""One instrument's publications, redone with dicts: compared with the oracle, and with what a client showed."""

from __future__ import annotations

from decimal import Decimal

from tests.chaos.client import DEPTH, Levels, Shown
from tests.chaos.invariants import UNTRUSTED, Oracle, Tally, position_key
from thalweg.cli.views import View
from thalweg.events import State
from thalweg.publication import VIEW_DEPTH, Kind, Publication

SHOWN_KEPT = 200


class Ladder:
    """The views of one instrument's venues after each publication, in order."""

    def __init__(self, instrument: str, tally: Tally, oracle: Oracle) -> None:
        self.instrument = instrument
        self.depths: dict[str, int] = {}
        self.seq = 0
        self._tally, self._oracle = tally, oracle
        self._views: list[View] = []
        self._positions: list[str | None] = []
        self._known = False
        self._shown: dict[int, list[Shown]] = {}

    def show(self, shown: Shown) -> None:
        """Keep what a client showed until its publication is taken."""
        self._shown.setdefault(shown.seq, []).append(shown)
        while len(self._shown) > SHOWN_KEPT:
            self._shown.pop(next(iter(self._shown)))

    def take(self, one: Publication, now: float) -> None:
        """Take the next publication."""
        follows, self.seq = one.seq == self.seq + 1, one.seq
        self._known = one.kind is Kind.KEY or (self._known and follows)
        if not self._known:
            self._shown.pop(one.seq, None)
            return
        while len(self._views) < len(one.venues):
            self._views.append(View())
            self._positions.append(None)
        if one.kind is not Kind.DELTA:
            for view in self._views:
                view.clear()
        for code, price, size in one.changes.tolist():
            view = self._views[code >> 1]
            (view.asks if code & 1 else view.bids).put(price, size)
        for index, line in enumerate(one.venues):
            position = position_key(line.last, line.ts_event)
            if line.state is not State.LIVE or line.flags & UNTRUSTED:
                self._positions[index] = None
            elif position != self._positions[index]:
                self._positions[index] = position
                digest = self._views[index].digest(self.depths.get(line.name, VIEW_DEPTH))
                where = f"out:{self.instrument} {one.seq} {line.name}"
                self._oracle.compare((line.name, self.instrument), position, digest, where, now)
        for shown in self._shown.pop(one.seq, ()):
            self._compare(one, shown)

    def _compare(self, one: Publication, shown: Shown) -> None:
        """A client may call less live than the publication does, never more; what it quotes is what stands there."""
        lines = {line.name: index for index, line in enumerate(one.venues)}
        live = {line.name for line in one.venues if line.state is State.LIVE}
        if shown.live - live:
            text = f"{self.instrument} {one.seq}: a client calls {sorted(shown.live - live)} live; out: does not"
            self._tally.say("I10", text)
            return
        self._tally.saw("client ladders compared")
        for number, side in enumerate(("bids", "asks")):
            expected: dict[int, dict[str, int]] = {}
            for venue in shown.live:
                view = self._views[lines[venue]]
                for price, size in (view.asks if number else view.bids).best(VIEW_DEPTH):
                    expected.setdefault(price, {})[venue] = size
            best = dict(sorted(expected.items(), reverse=not number)[:DEPTH])
            told = _whole(shown.sides[number], one.price_decimals, one.size_decimals)
            if told != best:
                wrong = sorted(set(told) ^ set(best))[:3]
                self._tally.say("I10", f"{self.instrument} {one.seq}: a client's {side} are not out:'s ({wrong})")


def _whole(levels: Levels, price_decimals: int, size_decimals: int) -> dict[int, dict[str, int]]:
    """Turn a side of texts into whole numbers."""
    return {
        int(Decimal(price).scaleb(price_decimals)): {
            venue: int(Decimal(size).scaleb(size_decimals)) for venue, size in by.items()
        }
        for price, by in levels.items()
    }
