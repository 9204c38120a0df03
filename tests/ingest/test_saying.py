"""A venue is spoken to when it listens, with the instant it wants, and no more than it takes."""

from __future__ import annotations

from dataclasses import replace

from ingest.saying import Saying
from tests.ingest.toy import TOY

STAMPED = replace(TOY, stamp=lambda frame, ts: f"{frame}@{ts}")


def test_what_is_to_be_said_waits_for_the_welcome_and_pings_do_too() -> None:
    saying = Saying(replace(STAMPED, greets=True))
    for _ in range(2):  # a second connection starts anew
        assert saying.opened(["A"], 5) == []
        assert saying.ping("ping", 6) == []
        assert saying.welcomed(7) == [f"{frame}@7" for frame in TOY.subscribe(["A"])]
        assert saying.welcomed(8) == []
        assert saying.ping("ping", 9) == ["ping@9"]


def test_who_is_not_greeted_speaks_at_once_and_nothing_is_asked_for_nothing() -> None:
    assert Saying(STAMPED).opened(["A"], 5) == [f"{frame}@5" for frame in TOY.subscribe(["A"])]
    assert Saying(STAMPED).opened([], 5) == []


def test_a_connection_sends_no_more_than_the_venue_takes_and_the_next_as_many() -> None:
    first, again = len(TOY.subscribe(["A"])), len(TOY.resubscribe("A"))
    saying = Saying(replace(TOY, most_requests=first + 2 * again))
    for _ in range(2):
        saying.opened(["A"], 1)
        frames = TOY.resubscribe("A")
        assert saying.again(frames, 2) == frames == saying.again(frames, 3)
        assert saying.again(frames, 4) is None
