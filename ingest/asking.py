"""When to ask a venue for a whole book, and when to stop: one question at a time, later ones further apart."""

from __future__ import annotations

from ingest.backoff import Backoff, Uniform
from ingest.track import Track
from ingest.venue import Listing
from thalweg.events import State

SECOND = 1_000_000_000
ANSWER_NS = 10 * SECOND  # a whole book that was asked for comes within this, or is asked for again
PROBE_NS = 4 * SECOND  # the same, of a book that may only be quiet
QUIET_NS = 3 * SECOND // 2  # a book to be fetched waits this long for its first update, to have one to splice
HASTE_NS = 2 * SECOND  # left to books that a refusal may be about
SHORTEST_S = 0.2  # between two questions about one book
REFUSALS_MAX = 3  # of one symbol, before the venue's word is taken for final
RECHECK_NS = 15 * SECOND  # a symbol that was given up is asked for again after this long: it may have been a mistake,
RECHECK_CAP_NS = 3600 * SECOND  # then after twice as long each time, up to an hour


class Asking:
    """The questions about one book; monotonic instants are `now`."""

    __slots__ = ("_backoff", "_by_rest", "_deafened", "_due", "_given_up", "_refusals", "confirmed", "track", "waiting")

    def __init__(self, track: Track, uniform: Uniform) -> None:
        """Nothing was asked yet; `confirmed` once the venue feeds the book, before which nothing is fetched."""
        self.track = track
        self.confirmed = True
        self.waiting = self._by_rest = self._deafened = False
        self._backoff = Backoff(1.0, 30.0, uniform)
        self._due = self._refusals = self._given_up = 0

    def subscribed(self, ts_recv: int, now: int, *, by_rest: bool) -> None:
        """A new connection asked for the book, or will fetch it once there is an update to splice."""
        self.track.set_state(State.SYNCING, "subscribing", ts_recv)
        self.track.wants_book, self.waiting, self._by_rest = True, not by_rest, by_rest
        self.confirmed, self.track.deaf, self._deafened = (
            not by_rest,
            False,
            False,
        )  # whatever was deaf was on the last connection
        self._backoff.reset()  # reconnects have a backoff of their own
        self._due = now + ANSWER_NS

    def confirm(self, now: int, *, held: bool) -> None:
        """The venue feeds the book: it may be fetched, at once if there is an update to splice, else in a while."""
        if self._by_rest and not self.waiting and not self._backoff.attempts and (held or not self._deafened):
            self._due = min(self._due, now if held else now + QUIET_NS)
        self.confirmed = True

    def hasten(self, now: int) -> None:
        """The venue refused something without saying what: what did not come by now may be it."""
        if self.waiting:
            self._due = min(self._due, now + HASTE_NS)

    def answered(self) -> None:
        """The book came and is live."""
        self.waiting, self._refusals, self._given_up, self._due = False, 0, 0, 0
        self._deafened = False
        self._backoff.reset()

    @property
    def wanting(self) -> bool:
        """Whether the book is to be asked for, now or later."""
        return self.track.wants_book or self.track.state is State.DELISTED

    def turn(self) -> int:
        """Give since when it is due: who has waited longest is asked first."""
        return self._due

    def under_way(self, now: int) -> bool:
        """Whether an answer is still to be expected."""
        return self.waiting and now < self._due

    def postpone(self, now: int, after_s: float | None = None) -> None:
        """The question came to nothing: ask again later; if all have to wait for `after_s`, not all at its end."""
        self.waiting = False
        self._due = now + int((max(self._backoff.next_s(), SHORTEST_S) + (after_s or 0.0)) * SECOND)

    def refused(self, text: str, ts_recv: int, now: int) -> None:
        """The venue refused the subscription: ask again, and after some refusals believe it."""
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            self.give_up(f"refused: {text}"[:80], ts_recv, now)
            return
        if self._by_rest and self.track.state is State.LIVE:
            self.track.lose("subscription refused", ts_recv)  # it was fetched, and nothing follows it
        self.track.wants_book = self.track.deaf = True
        self.postpone(now)

    def halt(self, state: State, reason: str, ts_recv: int, now: int) -> None:
        """Heed the venue's notice; when a halt is over, whatever was asked for before it is asked for again at once."""
        halted = self.track.state is State.HALTED
        self.track.halt(state, reason, ts_recv)
        if halted and self.track.state is not State.HALTED:
            self._due = now

    def give_up(self, reason: str, ts_recv: int, now: int) -> None:
        """The venue does not have this book; look again, ever more seldom."""
        self.track.set_state(State.DELISTED, reason, ts_recv)
        self.track.wants_book = self.waiting = False
        self._due = now + min(RECHECK_NS << min(self._given_up, 10), RECHECK_CAP_NS)
        self._given_up += 1

    def listed(self, found: Listing | None, ts_recv: int, now: int) -> None:
        """Take the venue's own word: what it lacks, or what our units can't hold, is not waited for."""
        track, one = self.track, self.track.instrument
        if found is None:
            if track.state not in (State.LIVE, State.DELISTED):
                self.give_up("not listed", ts_recv, now)
        elif found.price_decimals > one.price_decimals or found.size_decimals > one.size_decimals:
            self.give_up(f"needs {found.price_decimals} and {found.size_decimals} decimals", ts_recv, now)
        elif track.state is State.DELISTED:
            self._due = now  # it is back

    def resting(self, now: int) -> bool:
        """Whether the book is given up for now."""
        return self.track.state is State.DELISTED and now < self._due

    def ready(self, ts_recv: int, now: int) -> bool:
        """Say whether to ask now; the answer then has `ANSWER_NS`."""
        track = self.track
        if self.resting(now):
            return False
        if track.state is State.DELISTED:
            track.set_state(State.SYNCING, "subscribing", ts_recv)
            track.wants_book, self._refusals = True, 0
        if not track.wants_book or now < self._due:
            return False
        if track.probing and self.waiting:
            track.lose("silent", ts_recv)  # not even the probe was answered
        if self.waiting:
            self._backoff.next_s()
        self._deafened = self._deafened or (self._by_rest and track.deaf and not self._refusals)
        if self._by_rest and (not self.confirmed or (self._deafened and not track.held)):
            self.confirmed, track.deaf = False, True  # a fetched book is worth nothing while nothing follows it
            self._backoff.reset()
        self.waiting, self._due = self.confirmed, now + (PROBE_NS if track.probing else ANSWER_NS)
        return True
