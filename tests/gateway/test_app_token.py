from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from gateway.protocol import SUBPROTOCOL
from tests.gateway.client import Reader
from tests.gateway.site import SETTINGS, Site
from tests.gateway.test_app import BOOK, STREAM, subscribe

TOKEN = "not-so-very-secret"
GUARDED = replace(SETTINGS, host="0.0.0.0", token=TOKEN)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"authorization": f"Bearer {TOKEN}"}},
        {"subprotocols": [SUBPROTOCOL, f"thalweg.token.{TOKEN}"]},
    ],
)
def test_a_program_with_the_token_needs_no_origin(options: dict[str, Any]) -> None:
    site = Site(GUARDED)
    site.fill()
    with site.client, site.client.websocket_connect(STREAM, **options) as socket:
        assert str(socket.accepted_subprotocol) in ("None", SUBPROTOCOL)
        assert subscribe(socket, BOOK).of("hello")[0]["auth"] == "none"


def test_a_wrong_token_in_the_header_is_refused_before_the_upgrade() -> None:
    site = Site(GUARDED)
    headers = {"authorization": "Bearer something-else-entirely"}
    with (
        site.client,
        pytest.raises(WebSocketDenialResponse) as refused,
        site.client.websocket_connect(STREAM, headers=headers),
    ):
        pass
    assert refused.value.status_code == 401


def test_a_wrong_token_among_the_subprotocols_is_told_where_a_browser_hears_it() -> None:
    site = Site(GUARDED)
    offered = [SUBPROTOCOL, "thalweg.token.something-else-entirely"]
    with site.client, site.client.websocket_connect(STREAM, subprotocols=offered) as socket:
        reader = Reader()
        for _ in range(2):
            reader.take(socket.receive_text())
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, reader.of("err")[0]["code"]) == (4401, 101)


def test_a_bug_in_an_answer_is_told_and_the_connection_stays() -> None:
    site = Site()
    site.fill()
    with site.client, site.client.websocket_connect(STREAM) as socket:
        reader = subscribe(socket, BOOK)
        channels = site.gateway.hub.instruments
        del site.gateway.hub.instruments
        socket.send_json({"op": "subscribe", "id": 2, "ch": ["cbook:BTC-USDT"]})
        while not reader.of("err"):
            reader.take(socket.receive_text())
        assert (reader.of("err")[0]["code"], reader.of("err")[0]["retry"]) == (100, True)
        site.gateway.hub.instruments = channels
        socket.send_json({"op": "ping", "id": 3})
        while not reader.of("pong"):
            reader.take(socket.receive_text())
