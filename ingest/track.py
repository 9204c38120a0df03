"""One book's life: updates in, events out; when it may be trusted, and what it needs when it may not.

A track keeps the book at the feed's full depth, its state and its continuity rule. It asks for a whole book by
setting `wants_book`, and for its subscription to be made again by setting `deaf`; the session sees to both.
Monotonic instants are called `now`, wall instants `ts_recv`.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest import rows
from ingest.beats import UNKNOWN
from ingest.cadence import Cadence
from ingest.crossing import Crossing
from ingest.delay import LATE_NS, Lateness
from ingest.holding import Holding
from ingest.sequence import APPLY, DROPS, GAP, GOOD, UNCLAIMED, Proof, Rule, Verdict
from ingest.tally import Tally
from ingest.tape import Tape
from ingest.telling import LIVE, Telling
from ingest.trust import Trust
from ingest.venue import BookUpdate, TradeUpdate
from thalweg.events import Delta, Event, Flag, Made, State, Trade
from thalweg.fixed import Levels, joined
from thalweg.instruments import Instrument

HALTED = State.HALTED
BEHIND_MAX = 3  # fetched books in a row that are older than ours


class Track(Telling):
    """One instrument at one venue."""

    def __init__(
        self,
        venue: str,
        instrument: Instrument,
        symbol: str,
        rule: Rule,
        depth: int | None,
        emit: Callable[[Event], None],
        tally: Tally,
    ) -> None:
        """Start with no book, in state connecting."""
        super().__init__(venue, instrument.name, emit, tally)
        self.instrument, self.symbol, self.depth = instrument, symbol, depth
        self.wants_book = self.probing = self.deaf = self.touched = False
        self._granted, self._behind = False, 0
        self.look_at = 0  # before this instant the clock has nothing to say of it
        self._rule, self._held, self.tape = rule, Holding(), Tape()
        self._cadence = Cadence(self.row[rows.RHYTHM])
        self._crossing, self._trust, self._lateness = Crossing(), Trust(), Lateness()
        rule.cells = self.row[rows.RULE]
        rule.reset()
        places = instrument.price_decimals, instrument.size_decimals
        self.row[rows.PRICE_DECIMALS], self.row[rows.SIZE_DECIMALS] = places
        self.position: tuple[int | None, int | None, int | None] = (None, None, None)

    @property
    def rule(self) -> Rule:
        """Its continuity rule."""
        return self._rule

    @property
    def held(self) -> int:
        """How many updates wait for a whole book."""
        return len(self._held)

    def update(self, update: BookUpdate, ts_recv: int, now: int, *, fetched: bool = False) -> None:
        """Take one update of the venue; `fetched` if it was asked for apart from the feed."""
        self.touched = True
        self._tally.decoded += 1
        if fetched and self.probing and self.state is LIVE:
            self._judge_probe(update, ts_recv, now)
        else:
            self._take(update, ts_recv, now)
            if update.whole and self.state is LIVE:
                self._release(now)
        self._settle()

    def applied(self, update: BookUpdate, ts_recv: int, now: int) -> None:
        """Go on with changes that the express lane has put into the book and found to be no longer as usual.

        `update` has what it wrote down: the venue's levels, and those that were cut.
        """
        self._tally.decoded += 1
        self.book.look()
        self._accept(update, update.bids, update.asks, ts_recv, now)
        self._settle()

    def _settle(self) -> None:
        """Tell the express lane whether it may have this book: live, and nothing to be watched or told about it."""
        usual = self.state is LIVE and not self.flags and not self.probing and self._lateness.calm
        depth = UNKNOWN if self.depth is None else self.depth
        self.row[rows.READY], self.row[rows.DEPTH] = usual, depth

    def _take(self, update: BookUpdate, ts_recv: int, now: int) -> None:
        """Admit an update and do what the rule says; while the venue says that nothing trades, none is news."""
        verdict = Verdict.NOT_LIVE if self.state is HALTED else self._rule.admit(update)
        if verdict is APPLY:
            self._apply(update, ts_recv, now)
        elif verdict is Verdict.HOLD:
            self._hold(update, ts_recv)
        elif verdict is GAP:
            self._tally.dropped["not_live"] += 1
            self.lose("gap", ts_recv)
        else:
            if verdict is Verdict.IDLE and self.state is LIVE:
                self._quiet(ts_recv, now)
            self._tally.dropped[DROPS[verdict]] += 1
            self.wants_book = self.wants_book or verdict is Verdict.OLD

    def _judge_probe(self, update: BookUpdate, ts_recv: int, now: int) -> None:
        """Judge a book fetched because ours was silent: the same is quiet, a newer one was kept from us.

        An older one may come from a cache; one that stays older means that the venue counts anew.
        """
        self._tally.dropped["duplicate"] += 1
        mine = self.position[1]
        behind = mine is not None and update.last is not None and update.last < mine
        self._behind = self._behind + 1 if behind else 0
        if update.last == mine:
            self._quiet(ts_recv, now)
        elif not behind or self._behind >= BEHIND_MAX:
            self.deaf = True
            self.lose("silent", ts_recv)

    def _hold(self, update: BookUpdate, ts_recv: int) -> None:
        """Keep an update for the splice; too many mean that the whole book does not come: start with this one."""
        if self._held.full:
            self._tally.dropped["not_live"] += self._held.drop()
            self._rule.reset()
            self._rule.admit(update)
        self._held.add(update, ts_recv)

    def _release(self, now: int) -> None:
        """Take the held updates after the whole book, in order."""
        while (held := self._held.take()) is not None:
            self._take(*held, now)

    def _apply(self, update: BookUpdate, ts_recv: int, now: int) -> None:
        """Put an admitted update into the book, cut it to the feed's depth, and go on."""
        bids, asks, book = update.bids, update.asks, self.book
        if update.whole:
            if update.depth is not None and not self._granted:
                self.depth = update.depth
            book.load(bids, asks)
        else:
            book.apply(bids, asks)
        if self.depth is not None and book.deeper_than(self.depth):
            cut_bids, cut_asks = book.truncate(self.depth)
            bids, asks = joined(bids, cut_bids), joined(asks, cut_asks)
        self._accept(update, bids, asks, ts_recv, now)

    def _accept(self, update: BookUpdate, bids: Levels, asks: Levels, ts_recv: int, now: int) -> None:
        """Verify the book after an update and emit what readers are to do."""
        book = self.book
        if not self._verified(update, ts_recv, now):
            self._tally.dropped["refused"] += 1
            return
        if update.last is None and not (update.whole or len(bids) or len(asks)):  # it was about the book as it is
            self._tally.dropped["duplicate"] += 1
            self._quiet(ts_recv, now)
            return
        self.position = first, last, ts_event = update.first, update.last, update.ts_event
        self._cadence.beat(now, news=not update.whole)
        if self.probing:
            self._noticed(ts_recv)
        if update.whole:
            self._go_live(ts_recv)
        else:
            self._tally.deltas += 1
            self._emit(Delta(self._venue, self.name, bids, asks, first, last, ts_event, ts_recv))
        if book.crossed or self._crossing.on:
            self._watch_cross(ts_recv, now)

    def _verified(self, update: BookUpdate, ts_recv: int, now: int) -> bool:
        """Check the book against the venue's word; a miss makes it stale, too many make it unverified."""
        proof = self._rule.verify(update, self.book)
        if proof is UNCLAIMED:
            return True
        if proof is GOOD:
            self._tally.checksums_ok += 1
            if not self._trust.doubted:
                return True
        self._tally.checksums_bad += proof is Proof.BAD
        doubted, costs = self._trust.doubted, self._trust.weigh(proof, now)
        if self._trust.doubted is not doubted:
            self.flags ^= Flag.UNVERIFIED
            if self.state is LIVE and not costs:
                self._emit_status(ts_recv)
        if costs:
            self.lose("checksum", ts_recv)
        return not costs

    def _go_live(self, ts_recv: int) -> None:
        """Emit the whole book that was just applied, and the state it brings."""
        self._tally.snapshots += 1
        changed = self.state is not LIVE
        self.wants_book = self.probing = False
        if changed:
            self.state, self.reason, self.since = LIVE, "", ts_recv
        self._emit(self._snapshot(Made.VENUE, ts_recv))
        if changed:
            self._emit_status(ts_recv)

    def _watch_cross(self, ts_recv: int, now: int) -> None:
        """Flag a crossed book at once; one that stays crossed has lost something."""
        if self._crossing.note(self.book.crossed, now):
            self.look_at = now
            self.flags ^= Flag.CROSSED
            self._emit_status(ts_recv)
        elif self._crossing.wrong(now):
            self.lose("crossed", ts_recv)

    def judge_delay(self, behind_ns: int, ts_recv: int, now: int) -> None:
        """Flag a live book whose news have come late for a while, until they come in time."""
        lateness = self._lateness
        if (behind_ns > LATE_NS or not lateness.calm) and self.state is LIVE:
            if lateness.note(behind_ns, now):
                self._flag_late(ts_recv)
            self._settle()

    def _flag_late(self, ts_recv: int) -> None:
        """Set or clear the flag, by silence and by delay."""
        if (self.probing or self._lateness.late) != bool(self.flags & Flag.LATE):
            self.flags ^= Flag.LATE
            self._emit_status(ts_recv)
        self._settle()

    def trade(self, trade: TradeUpdate, ts_recv: int) -> None:
        """Take one trade: repeats are dropped, a hole in ids that step by one is told in the stream."""
        self._tally.decoded += 1
        missing = self.tape.admit(trade)
        if missing is None:
            self._tally.dropped["duplicate"] += 1
            return
        if missing:
            self._tally.gaps += 1
            self._emit_status(ts_recv, f"{missing} trades lost")
        self._tally.trades += 1
        name = self.name
        self._emit(Trade(self._venue, name, trade.price, trade.size, trade.taker, trade.id, trade.ts_event, ts_recv))

    def grant(self, depth: int) -> None:
        """Keep to the depth that the venue says it feeds."""
        self.depth, self._granted = depth, True
        self._settle()

    def lose(self, reason: str, ts_recv: int) -> None:
        """The book can't be trusted: stale until a whole book comes, which is asked for."""
        self._tally.gaps += 1
        self.set_state(State.STALE, reason, ts_recv)
        self.wants_book = True

    def set_state(self, state: State, reason: str, ts_recv: int) -> None:
        """Leave live, or change how; the book is forgotten and the change is told in the stream."""
        self._rule.reset()
        self._tally.dropped["not_live"] += self._held.drop()
        self.book.clear()
        self._cadence.pause()
        self.probing = False
        self.position = (None, None, None)
        self.flags &= Flag.UNVERIFIED
        self._crossing.reset()
        self._lateness = Lateness()
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason, self.since = state, reason, ts_recv
            self._emit_status(ts_recv)
        self._settle()

    def halt(self, state: State, reason: str, ts_recv: int) -> None:
        """Heed the venue's notice: a halt (HALTED) costs the book, its end (SYNCING) asks for a new one."""
        halted = self.state is HALTED
        if self.state is not State.DELISTED and halted == (state is State.SYNCING):
            self.set_state(state, reason, ts_recv)
            self.wants_book = halted

    def check(self, ts_recv: int, now: int) -> None:
        """Judge by the clock: crossed for too long, or silent against its habit (late, and a probe)."""
        if self.state is not LIVE:
            return
        if self._crossing.wrong(now):
            self.lose("crossed", ts_recv)
        elif not self.probing and self._cadence.late(now):
            self.probing = self.wants_book = True
            self._flag_late(ts_recv)
        self.look_at = now if self._crossing.on else self._cadence.never_late_before(now)

    def _quiet(self, ts_recv: int, now: int) -> None:
        """Note the venue's word that nothing has changed."""
        self._cadence.beat(now, news=False)
        self._noticed(ts_recv)

    def _noticed(self, ts_recv: int) -> None:
        """Note a sign of life of a book whose silence was asked about."""
        self.probing = self.wants_book = False
        self._flag_late(ts_recv)
