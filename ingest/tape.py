"""The continuity of one book's trades: repeats are dropped, holes in ids that step by one are found."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from ingest.venue import TradeUpdate
from thalweg.events import Trade

RECENT_IDS = 512  # trade ids remembered where they do not step by one; a venue's recap is shorter
ANEW_NS = 1_000_000_000  # a trade this much later than the last, under a lower number: the venue counts anew


class Tape:
    """What is known of the trades so far; it outlives connections, since venues repeat after a reconnect."""

    __slots__ = ("_last", "_recent", "_seeded", "_since", "_ts_last")

    def __init__(self) -> None:
        """Know no trade."""
        self._last: int | None = None
        self._ts_last: int | None = None
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._seeded: int | None = None
        self._since: int | None = None  # what happened before is written, or its loss was told

    @property
    def numbered(self) -> bool:
        """Whether trades with numbers that step by one have come."""
        return self._last is not None

    @property
    def last(self) -> int | None:
        """The number of the last trade, where numbers step by one."""
        return self._seeded if self._last is None else self._last

    @property
    def ts_last(self) -> int | None:
        """When the newest trade happened, where the venue says it."""
        return self._ts_last

    def __contains__(self, name: str) -> bool:
        """Whether an id is among the recent ones."""
        return name in self._recent

    def seed(self, trades: Iterable[Trade], since: int | None = None) -> None:
        """Learn what the stream has already, oldest first: another worker wrote it, and all that was before `since`."""
        self._begin(since)
        for trade in trades:
            self._remember(trade.id)
            if trade.id.isdigit():
                self._raise(int(trade.id))
            self._later(trade.ts_event)

    def learn(self, other: Tape) -> None:
        """Learn all that another tape knows."""
        for name in other._recent:
            self._remember(name)
        if other.last is not None:
            self._raise(other.last)
        self._later(other._ts_last)
        self._begin(other._since)

    def admit(self, trade: TradeUpdate) -> int | None:
        """Take a trade.

        Returns:
            How many trades are missing before it; `None` if it came before.
        """
        if trade.number is None:
            if trade.history and self._before(trade.ts_event):
                return None
            self._later(trade.ts_event)
            return 0 if self._remember(trade.id) else None
        if self._last is None:
            self._last = self._seeded  # from here on it is known that numbers step by one
        last, number = self._last, trade.number
        if last is not None and number <= last and not self._anew(trade):
            return None
        self._last, self._ts_last = number, trade.ts_event
        return 0 if last is None or number <= last else number - last - 1

    def _anew(self, trade: TradeUpdate) -> bool:
        """Whether a trade under a number that is behind ours happened clearly after our last."""
        return trade.ts_event is not None and self._ts_last is not None and trade.ts_event > self._ts_last + ANEW_NS

    def _raise(self, number: int) -> None:
        if self._last is not None:
            self._last = max(self._last, number)
        else:
            self._seeded = max(self._seeded or 0, number)

    def _later(self, ts_event: int | None) -> None:
        if ts_event is not None:
            self._ts_last = max(self._ts_last or 0, ts_event)

    def _begin(self, since: int | None) -> None:
        if since is not None:
            self._since = max(self._since or 0, since)
        self._later(since)

    def _before(self, ts_event: int | None) -> bool:
        """Whether a trade is older than what this tape begins with."""
        return ts_event is not None and self._since is not None and ts_event < self._since

    def _remember(self, name: str) -> bool:
        """Note an id and say whether it is new."""
        if name in self._recent:
            return False
        self._recent[name] = None
        if len(self._recent) > RECENT_IDS:
            self._recent.popitem(last=False)
        return True
