"""Whether a connection is worth keeping: any frame is a sign of life, bad frames count against it.

Heartbeats and answers alone are a life without use: a socket whose books as a whole fall silent against their habit
is closed too. What is quiet by habit is left alone.
"""

from __future__ import annotations

from collections import deque

from ingest.cadence import FLOOR_NS, Cadence
from ingest.venue import Keepalive

SECOND = 1_000_000_000
ANSWERLESS_NS = 15 * SECOND  # of a socket that was asked for books and has none that is live
WORDLESS_NS = 4_800_000_000  # of all busy books together; books that fall silent are told before that
ALONE_NS = 8_200_000_000  # of the only book, which was asked about after 4 s and had as long to answer
ASKING_NS = 6 * SECOND  # for the answer about a book that is thought too quiet
RENEWAL_NS = 4 * SECOND  # for a subscription that was made again to bring news
BAD_FRAMES_MAX = 20  # a minute; more cost the connection
BAD_WINDOW_NS = 60 * SECOND


class Liveness:
    """The clockwork of one connection; monotonic instants are `now`."""

    __slots__ = (
        *("_bad", "_cadence", "_frame_at", "_keepalive", "_max_age_s", "_opened_at", "_ping_at", "_told_at"),
        *("_withheld_at", "heard"),
    )

    def __init__(self, keepalive: Keepalive, max_age_s: float | None) -> None:
        """Wait for a connection."""
        self._keepalive, self._max_age_s = keepalive, max_age_s
        self._frame_at = self._ping_at = self._opened_at = self._told_at = 0
        self._bad: deque[int] = deque(maxlen=BAD_FRAMES_MAX)
        self._cadence = Cadence()
        self._withheld_at: int | None = None
        self.heard = False

    def opened(self, now: int) -> None:
        """A new connection starts with a clean slate."""
        self._frame_at = self._ping_at = self._opened_at = self._told_at = now
        self._bad.clear()
        self._cadence.pause()
        self._withheld_at, self.heard = None, False

    def frame(self, now: int) -> None:
        """Note a frame, whatever it holds."""
        self._frame_at, self.heard = now, True

    def told(self, now: int, *, news: bool) -> None:
        """Note news of books or trades; or, if it is no `news`, a whole book."""
        self._told_at, self._withheld_at = now, None if news else self._withheld_at
        self._cadence.beat(now, news=news)

    def asked(self, now: int) -> None:
        """Note a question about a book after which there was none: it has its time."""
        self._told_at = now

    def probed(self, now: int, *, quiet: bool) -> None:
        """Note what another way told of a silent book: that it is quiet, or that the venue kept news of it from us.

        In the latter case its subscription is lost, or all of them.
        """
        if quiet:
            self._cadence.beat(now, news=False)
        elif self._withheld_at is None:
            self._withheld_at = now

    def too_bad(self, now: int) -> bool:
        """Note a bad frame and say whether it is one too many."""
        self._bad.append(now)
        return len(self._bad) == BAD_FRAMES_MAX and now - self._bad[0] < BAD_WINDOW_NS

    def why_close(self, now: int, books: int, *, asked: bool) -> str | None:
        """Give why the connection is to end: silence or old age.

        `books` is how many are to be heard of; `asked` if none of them is live and one was asked for.
        """
        if now - self._frame_at > self._keepalive.silence_s * SECOND:
            return "socket silent"
        if books and self._wordless(now, WORDLESS_NS if books > 1 else ALONE_NS):
            return "nothing but heartbeats"
        if asked and now - self._told_at > ANSWERLESS_NS:
            return "no answer"
        if self._max_age_s and now - self._opened_at > self._max_age_s * SECOND:
            return "planned rotation"
        return None

    def _wordless(self, now: int, busy_ns: int) -> bool:
        """Tell whether nothing was told for too long; who is not busy is asked about first, book by book."""
        if self._withheld_at is not None and now - self._withheld_at > RENEWAL_NS:
            return True
        usual = self._cadence.patience_ns
        return self._cadence.silence_ns(now) > (busy_ns if usual <= FLOOR_NS else usual + ASKING_NS)

    def ping(self, now: int) -> str | None:
        """Give the venue's ping when it is due."""
        if not self._keepalive.ping or now - self._ping_at <= self._keepalive.every_s * SECOND:
            return None
        self._ping_at = now
        return self._keepalive.ping
