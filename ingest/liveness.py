"""Whether a connection is worth keeping: any frame is a sign of life, bad frames count against it.

Heartbeats and answers alone are a life without use: a socket whose books as a whole fall silent against their habit
is closed too. What is quiet by habit is left alone.
"""

from __future__ import annotations

from collections import deque

from ingest.beats import UNKNOWN
from ingest.cadence import FLOOR_NS, Cadence
from ingest.rows import ALL_RHYTHM, FRAME_AT, HEARD, TOLD_AT, WITHHELD_AT, Cells, connection_row
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

    __slots__ = ("_bad", "_cadence", "_cells", "_keepalive", "_max_age_s", "_opened_at", "_ping_at")

    def __init__(self, keepalive: Keepalive, max_age_s: float | None, row: Cells | None = None) -> None:
        """Wait for a connection; what changes with every frame is kept in its row."""
        self._keepalive, self._max_age_s = keepalive, max_age_s
        self._cells = connection_row() if row is None else row
        self._cells[[FRAME_AT, TOLD_AT, WITHHELD_AT, HEARD]] = 0, 0, UNKNOWN, False
        self._ping_at = self._opened_at = 0
        self._bad: deque[int] = deque(maxlen=BAD_FRAMES_MAX)
        self._cadence = Cadence(self._cells[ALL_RHYTHM])

    @property
    def heard(self) -> bool:
        """Whether this connection has brought any frame."""
        return self._cells.item(HEARD) == 1

    def opened(self, now: int) -> None:
        """A new connection starts with a clean slate."""
        self._ping_at = self._opened_at = now
        self._cells[[FRAME_AT, TOLD_AT, WITHHELD_AT, HEARD]] = now, now, UNKNOWN, False
        self._bad.clear()
        self._cadence.pause()

    def frame(self, now: int) -> None:
        """Note a frame, whatever it holds."""
        self._cells[FRAME_AT], self._cells[HEARD] = now, True

    def told(self, now: int, *, news: bool) -> None:
        """Note news of books or trades; or, if it is no `news`, a whole book."""
        self._cells[TOLD_AT] = now
        if news:
            self._cells[WITHHELD_AT] = UNKNOWN
        self._cadence.beat(now, news=news)

    def asked(self, now: int) -> None:
        """Note a question about a book after which there was none: it has its time."""
        self._cells[TOLD_AT] = now

    def probed(self, now: int, *, quiet: bool) -> None:
        """Note what another way told of a silent book: that it is quiet, or that the venue kept news of it from us.

        In the latter case its subscription is lost, or all of them.
        """
        if quiet:
            self._cadence.beat(now, news=False)
        elif self._cells.item(WITHHELD_AT) == UNKNOWN:
            self._cells[WITHHELD_AT] = now

    def too_bad(self, now: int) -> bool:
        """Note a bad frame and say whether it is one too many."""
        self._bad.append(now)
        return len(self._bad) == BAD_FRAMES_MAX and now - self._bad[0] < BAD_WINDOW_NS

    def why_close(self, now: int, books: int, *, asked: bool) -> str | None:
        """Give why the connection is to end: silence or old age.

        `books` is how many are to be heard of; `asked` if none of them is live and one was asked for.
        """
        if now - self._cells.item(FRAME_AT) > self._keepalive.silence_s * SECOND:
            return "socket silent"
        if books and self._wordless(now, WORDLESS_NS if books > 1 else ALONE_NS):
            return "nothing but heartbeats"
        if asked and now - self._cells.item(TOLD_AT) > ANSWERLESS_NS:
            return "no answer"
        if self._max_age_s and now - self._opened_at > self._max_age_s * SECOND:
            return "planned rotation"
        return None

    def _wordless(self, now: int, busy_ns: int) -> bool:
        """Tell whether nothing was told for too long; who is not busy is asked about first, book by book."""
        withheld_at = self._cells.item(WITHHELD_AT)
        if withheld_at != UNKNOWN and now - withheld_at > RENEWAL_NS:
            return True
        usual = self._cadence.patience_ns
        return self._cadence.silence_ns(now) > (busy_ns if usual <= FLOOR_NS else usual + ASKING_NS)

    def ping(self, now: int) -> str | None:
        """Give the venue's ping when it is due."""
        if not self._keepalive.ping or now - self._ping_at <= self._keepalive.every_s * SECOND:
            return None
        self._ping_at = now
        return self._keepalive.ping
