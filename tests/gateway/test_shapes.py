from __future__ import annotations

from typing import Any, get_args, get_type_hints

import orjson
import pytest

from gateway.shapes import ClientMessage, ServerMessage, encode
from tests.gateway.conforming import judge

TRADES: dict[str, Any] = {
    "t": "trades",
    "ch": "trades:*:BTC-USDT",
    "e": 1,
    "s": 3,
    "p": 2,
    "n": 1,
    "x": [[1, "2", "3", "b", "7", "kraken"]],
    "drop": 0,
}


def test_a_message_as_declared_conforms() -> None:
    judge(TRADES)
    judge(TRADES | {"gap": 4, "resumed": True})


@pytest.mark.parametrize(
    "changed",
    [
        {"s": "3"},
        {"s": True},
        {"e": None},
        {"gap": "many"},
        {"other": 1},
        {"x": [[1, "2", "3", "b", "7"]]},
        {"x": [[1, 2, "3", "b", "7", "kraken"]]},
        {"x": [[1, "2", "3", "x", "7", "kraken"]]},
        {"x": {}},
    ],
)
def test_a_message_that_is_not_as_declared_is_seen(changed: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        judge(TRADES | changed)


def test_a_missing_field_is_seen() -> None:
    with pytest.raises(AssertionError):
        judge({name: value for name, value in TRADES.items() if name != "drop"})


def test_every_message_names_its_kind_and_is_documented() -> None:
    for shape in get_args(ServerMessage):
        assert len(get_args(get_type_hints(shape)["t"])) == 1
        assert shape.__doc__
    assert all(get_args(get_type_hints(shape)["op"]) for shape in get_args(ClientMessage))


def test_a_message_is_written_as_json() -> None:
    assert orjson.loads(encode({"t": "hb", "n": 1, "srv": 2})) == {"t": "hb", "n": 1, "srv": 2}
