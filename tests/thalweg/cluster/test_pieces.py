"""Commands split by slot, framed where they are done all or none, and their replies put apart again."""

from __future__ import annotations

import pytest

from thalweg.cluster.pieces import ASKING, EXEC, MULTI, Piece, split
from thalweg.keys import slot
from thalweg.resp import pack

ONE, OTHER, PING = pack("INCR", "{a}1"), pack("INCR", "{b}1"), pack("PING")
AGAIN = pack("INCR", "{a}2")
NODE = ("host", 7001)
NO = ValueError("refused")


def test_commands_are_a_piece_each() -> None:
    found = split([ONE, PING, OTHER], whole=False)
    assert [(one.slot, one.whole, one.places) for one in found] == [
        (slot(b"a"), False, [0]), (None, False, [1]), (slot(b"b"), False, [2])
    ]  # fmt: skip


def test_what_is_done_all_or_none_is_one_piece_a_slot_in_its_order() -> None:
    first, ping, second = split([ONE, PING, OTHER, AGAIN], whole=True)
    assert (first.packed(), first.places) == ([MULTI, ONE, AGAIN, EXEC], [0, 3])
    assert (ping.packed(), ping.places) == ([PING], [1])
    assert (second.packed(), second.places) == ([MULTI, OTHER, EXEC], [2])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("asked", [None, NODE])
def test_replies_are_those_of_the_commands_alone(*, whole: bool, asked: tuple[str, int] | None) -> None:
    piece = Piece(1, whole, [ONE, AGAIN], [0, 1], asked)
    answers: dict[bytes, object] = {ASKING: b"OK", MULTI: b"OK", ONE: 1, AGAIN: 2, EXEC: [1, 2]}
    assert piece.unpacked([answers[command] for command in piece.packed()]) == [1, 2]


def test_a_refused_transaction_gives_its_first_reason_for_each() -> None:
    piece = Piece(1, True, [ONE, AGAIN], [0, 1])
    assert piece.unpacked([b"OK", NO, b"QUEUED", ValueError("aborted")]) == [NO, NO]
