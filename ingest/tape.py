"""The continuity of one book's trades: repeats are dropped, holes in ids that step by one are found."""

from __future__ import annotations

from collections import OrderedDict

from ingest.venue import TradeUpdate

RECENT_IDS = 512  # trade ids remembered where they do not step by one; a venue's recap is shorter


class Tape:
    """What is known of the trades so far; it outlives connections, since venues repeat after a reconnect."""

    __slots__ = ("_last", "_recent")

    def __init__(self) -> None:
        """Know no trade."""
        self._last: int | None = None
        self._recent: OrderedDict[str, None] = OrderedDict()

    def admit(self, trade: TradeUpdate) -> int | None:
        """Take a trade.

        Returns:
            How many trades are missing before it; `None` if it came before.
        """
        if trade.number is None:
            if trade.id in self._recent:
                return None
            self._recent[trade.id] = None
            if len(self._recent) > RECENT_IDS:
                self._recent.popitem(last=False)
            return 0
        last, number = self._last, trade.number
        if last is not None and number <= last:
            return None
        self._last = number
        return 0 if last is None else number - last - 1
