"""What a venue says that is no change: by a connection's own numbers, about the book as it is, or nothing at all."""

from __future__ import annotations

from dataclasses import replace

from ingest.sequence import Summed, Unchecked
from ingest.venue import Capability, Decoded, Scales
from tests.ingest import toy
from tests.ingest.toy import Desk, delta, kinds, live, whole, with_rule
from thalweg.events import Flag, Snapshot, Status


class Numbered:
    """Reads one connection, by the number of frames that it has brought."""

    def __init__(self) -> None:
        self.frames = 0

    def decode(self, frame: bytes, scales: Scales) -> Decoded:
        self.frames += 1
        return toy.decode(frame, scales)

    def resubscribe(self, symbol: str) -> list[str]:
        return [f"leave {self.frames}", f"join {symbol}"]


def test_a_connection_is_read_and_asked_by_its_own_numbers() -> None:
    desk = live(Desk(replace(toy.TOY, reader=Numbered)))
    desk.frame(delta(2, 2))
    desk.frame(delta(4, 4))
    desk.wait(0.1)
    assert desk.sent[-2:] == ["leave 3", "join BTC"]
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.connect()
    desk.frame(whole(1))
    desk.frame(delta(3, 3))
    desk.wait(0.1)
    assert desk.sent[-2:] == ["leave 2", "join BTC"]


def test_a_word_about_the_book_as_it_is_verifies_it_and_is_no_event() -> None:
    venue = with_rule(lambda: Summed(lambda book, shift: len(book.bids()), every=False))
    desk = live(Desk(venue))
    assert kinds(desk.frame(delta(1, 1, bids=[[99, 1]]))) == ["delta"]
    word = {"kind": "book", "symbol": "BTC", "whole": False}
    assert kinds(desk.frame(word | {"checksum": 2})) == []
    assert desk.tally.checksums_ok == 1
    assert kinds(desk.frame(word | {"checksum": 3})) == ["stale"]
    assert desk.balance()[0] == desk.balance()[1]


def test_a_venue_where_no_loss_is_found_says_so_in_every_state() -> None:
    desk = live(Desk(with_rule(Unchecked, capability=Capability("none", None))))
    desk.do(desk.session.disconnected("lost", desk.now))
    desk.connect()
    desk.frame(whole(1))
    told = [event.flags for event in desk.events if isinstance(event, Snapshot | Status)]
    assert set(told) == {Flag.UNVERIFIED}
    assert len(told) > 4
