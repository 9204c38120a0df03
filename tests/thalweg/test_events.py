"""States and flags: their names and numbers are part of the layouts in Redis and may only grow at the end."""

from __future__ import annotations

import dataclasses

import pytest

from thalweg.events import STATES, Delta, Flag, Made, Open, Snapshot, State, Status, Taker, Trade, flag_names


def test_states_keep_their_names_and_numbers() -> None:
    assert STATES == ("connecting", "syncing", "live", "stale", "halted", "delisted")
    assert tuple(State) == STATES


def test_flags_keep_their_bits() -> None:
    assert {flag.name: flag.value for flag in Flag} == {"UNVERIFIED": 1, "LATE": 2, "CROSSED": 4, "CONFLATED": 8}


def test_takers_and_makers_keep_their_names() -> None:
    assert [*Taker, *Made] == ["buy", "sell", "venue", "periodic", "bridge"]


ALL = ["unverified", "late", "crossed", "conflated"]


@pytest.mark.parametrize(("flags", "names"), [(0, []), (5, ["unverified", "crossed"]), (15, ALL), (16, [])])
def test_flags_are_told_by_name(flags: int, names: list[str]) -> None:
    assert flag_names(flags) == names


@pytest.mark.parametrize("event", [Open, Snapshot, Delta, Trade, Status])
def test_an_event_has_slots_and_says_where_it_is_from_and_when_it_was_read(event: type) -> None:
    names = [field.name for field in dataclasses.fields(event)]
    assert names[:2] == ["venue", "instrument"]
    assert "ts_recv" in names
    assert "__slots__" in vars(event)
