from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from gateway.app import HEADERS, make_app
from gateway.hub import AGGREGATOR, REDIS
from gateway.protocol import SUBPROTOCOL
from gateway.source import now
from tests.gateway.client import Reader
from tests.gateway.site import HOST, SETTINGS, Site
from thalweg.errors import RedisTrouble
from thalweg.events import State

STREAM = f"ws://{HOST}/ws/v1"
BOOK = "book:kraken:BTC-USDT"


LIVE = ["/api/v1/books/BTC-USDT", "/api/v1/books/kraken/BTC-USDT", "/api/v1/bbo", "/api/v1/venues", "/api/v1/latency"]
PATHS = [*LIVE, "/", "/healthz", "/readyz", "/api/v1/version", "/api/v1/instruments"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_with_all_security_headers(site: Site, path: str) -> None:
    response = site.get(path)
    assert response.status_code == 200
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", LIVE)
def test_what_is_live_is_not_stored(site: Site, path: str) -> None:
    assert site.get(path).headers["cache-control"] == "no-store"


def test_the_page_is_asked_for_again_when_it_has_changed(site: Site) -> None:
    assert site.get("/").headers["cache-control"] == "no-cache"


def test_a_replay_is_said_above_all_else(site: Site) -> None:
    page = Site(replace(SETTINGS, replay="<kraken>.jsonl.gz")).get("/")
    told = page.text.index("REPLAY, not live: &lt;kraken&gt;.jsonl.gz")
    assert "<title>REPLAY thalweg" in page.text
    assert told < page.text.index("<header")
    assert page.headers["cache-control"] == "no-store"
    assert "REPLAY" not in site.get("/").text


def test_a_replay_is_told_to_programs(site: Site) -> None:
    replayed = Site(replace(SETTINGS, replay="kraken, flat out"))
    assert replayed.get("/api/v1/version").json()["replay"] == "kraken, flat out"
    assert "replay" not in site.get("/api/v1/version").json()
    with replayed.client, replayed.client.websocket_connect(STREAM) as socket:
        assert socket.receive_json()["replay"] == "kraken, flat out"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/static/nothing.js", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/api/v1/books/NO-SUCH", 404),
        ("/api/v1/books/bybit/BTC-USDT", 404),
        ("/api/v1/books/BTC-USDT?depth=0", 400),
        ("/api/v1/books/BTC-USDT?depth=201", 400),
        ("/api/v1/books/BTC-USDT?depth=1e2", 400),
        ("/api/v1/books/BTC-USDT?depth=%D9%A3", 400),
        ("/ws/v1", 404),
    ],
)
def test_errors_are_problems_with_all_security_headers(site: Site, path: str, status: int) -> None:
    response = site.get(path)
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_only_reading_is_allowed(site: Site) -> None:
    assert site.client.post("/api/v1/bbo").status_code == 405


def test_an_instrument_without_a_publication_is_not_there_yet() -> None:
    with Site().client as client:
        assert client.get("/api/v1/books/BTC-USDT").status_code == 503


def test_a_bug_shows_the_client_no_trace() -> None:
    site = Site()
    site.fill()
    site.gateway.hub.replicas["BTC-USDT"].lines.clear()
    client = TestClient(make_app(site.gateway), base_url=f"http://{HOST}", raise_server_exceptions=False)
    response = client.get("/api/v1/bbo")
    assert response.json() == {"type": "about:blank", "title": "internal error", "status": 500}
    assert response.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_another_host_name_is_not_answered(site: Site) -> None:
    response = site.get("/healthz", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_local_names_are_answered(site: Site, host: str) -> None:
    assert site.get("/healthz", headers={"host": host}).status_code == 200


def test_the_book_says_where_it_comes_from(site: Site) -> None:
    answer = site.get("/api/v1/books/kraken/BTC-USDT?depth=3").json()
    assert (answer["seq"], answer["epoch"], answer["state"]) == (2, site.maker.epoch, "live")
    assert answer["as_of"] == site.maker.ts // 1000
    assert len(answer["bids"]) == 3
    assert answer["age_ms"] >= 60


def test_the_ladder_says_who_quotes(site: Site) -> None:
    answer = site.get("/api/v1/books/BTC-USDT?depth=5").json()
    assert set(answer["venues"]) == {"binance", "kraken"}
    assert all(set(level[2]) <= {"binance", "kraken"} for level in answer["bids"] + answer["asks"])
    assert answer["bids"][0][0] == answer["quote"]["bid"]


def test_instruments_are_listed_with_their_scales(site: Site) -> None:
    expected = {"name": "BTC-USDT", "price_decimals": 2, "size_decimals": 8, "venues": ["binance", "kraken"]}
    assert site.get("/api/v1/instruments").json() == {"instruments": [expected]}


def test_venues_are_listed_with_what_finds_a_loss() -> None:
    site = Site()
    site.fill()

    async def capabilities() -> dict[tuple[str, str], dict[str, str]]:
        return {("BTC-USDT", "kraken"): {"detector": "checksum", "depth": "25", "verified_depth": "10"}}

    site.gateway.capabilities = capabilities
    with site.client:
        binance, kraken = site.get("/api/v1/venues").json()["venues"]
    assert (binance["detector"], binance["books"]) == (None, {"live": 1, "total": 1})
    assert (kraken["detector"], kraken["depth"], kraken["verified_depth"]) == ("checksum", 25, 10)


def test_a_fee_that_is_not_set_is_null() -> None:
    site = Site(replace(SETTINGS, fee_bps={"kraken": 26_2500}))
    site.fill()
    with site.client:
        binance, kraken = site.get("/api/v1/venues").json()["venues"]
    assert (binance["fee_bps"], kraken["fee_bps"]) == (None, "26.25")


def test_venues_are_unavailable_without_redis() -> None:
    site = Site()

    async def capabilities() -> dict[tuple[str, str], dict[str, str]]:
        raise RedisTrouble("secret address")

    site.gateway.capabilities = capabilities
    with site.client:
        response = site.get("/api/v1/venues")
    assert response.status_code == 503
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("states", "redis", "status", "word"),
    [
        ((State.LIVE, State.LIVE), True, 200, "OK"),
        ((State.LIVE, State.STALE), True, 200, "DEGRADED"),
        ((State.STALE, State.STALE), True, 503, "DOWN"),
        ((State.LIVE, State.LIVE), False, 503, "DOWN"),
    ],
)
def test_readiness_says_why_not(states: tuple[State, State], redis: bool, status: int, word: str) -> None:
    site = Site()
    site.maker.states = dict(zip(("binance", "kraken"), states, strict=True))
    site.maker.reason = "gap"
    site.fill()
    site.gateway.hub.set_part(REDIS, redis, "gone", now())
    response = TestClient(make_app(site.gateway), base_url=f"http://{HOST}").get("/readyz")
    answer = response.json()
    assert (response.status_code, answer["status"]) == (status, word)
    if word == "DEGRADED":
        assert answer["venues"] == {"kraken": ["BTC-USDT stale: gap"]}


def subscribe(socket: Any, *channels: str, **options: Any) -> Reader:
    reader = Reader()
    reader.take(socket.receive_text())
    socket.send_json({"op": "subscribe", "id": 1, "ch": channels, **options})
    while not reader.of("snap"):
        reader.take(socket.receive_text())
    return reader


def test_a_client_follows_a_book_over_any_server(site: Site) -> None:
    with site.client.websocket_connect(STREAM, subprotocols=[SUBPROTOCOL]) as socket:
        assert str(socket.accepted_subprotocol) == SUBPROTOCOL
        reader = subscribe(socket, BOOK, "status", depth=10)
        site.gateway.hub.replicas["BTC-USDT"].receive(site.maker.delta(100), now().wall)
        while not reader.of("d"):
            reader.take(socket.receive_text())
        assert reader.books[BOOK].s == site.maker.seq
        assert [one["sys"] for one in reader.of("status") if "sys" in one] == [REDIS, AGGREGATOR]


def test_a_client_that_offers_no_subprotocol_is_let_in(site: Site) -> None:
    with site.client.websocket_connect(STREAM) as socket:
        assert socket.accepted_subprotocol is None
        assert Reader().take(socket.receive_text())[0]["t"] == "hello"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"subprotocols": ["thalweg.v9+json"]}, 400),
        ({"headers": {"origin": "http://evil.example"}}, 403),
        ({"headers": {"origin": "null"}}, 403),
        ({"headers": {"host": "evil.example", "origin": "http://evil.example"}}, 400),
    ],
)
def test_a_stranger_is_refused_before_the_upgrade(site: Site, options: dict[str, Any], status: int) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, site.client.websocket_connect(STREAM, **options):
        pass
    assert refused.value.status_code == status
    assert refused.value.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("origin", [f"http://{HOST}", "https://books.example.org"])
def test_the_own_page_and_allowed_origins_are_let_in(site: Site, origin: str) -> None:
    with site.client.websocket_connect(STREAM, headers={"origin": origin}) as socket:
        assert Reader().take(socket.receive_text())[0]["t"] == "hello"


def test_beyond_loopback_a_client_must_name_its_origin() -> None:
    site = Site(replace(SETTINGS, host="0.0.0.0"))
    with site.client, pytest.raises(WebSocketDenialResponse), site.client.websocket_connect(STREAM):
        pass


@pytest.mark.parametrize(("text", "code"), [("{", 4400), ("x" * 20_000, 4413)])
def test_what_is_no_request_ends_the_connection(site: Site, text: str, code: int) -> None:
    with site.client.websocket_connect(STREAM) as socket:
        socket.receive_text()
        socket.send_text(text)
        assert Reader().take(socket.receive_text())[0]["t"] == "err"
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == code


def test_an_address_has_so_many_connections(site: Site) -> None:
    for _ in range(site.gateway.settings.connections_per_ip):
        assert site.gateway.door.enter("testclient") is None
    with site.client.websocket_connect(STREAM) as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()
    assert closed.value.code == 4429


def test_a_client_that_has_left_is_forgotten(site: Site) -> None:
    with site.client.websocket_connect(STREAM) as socket:
        subscribe(socket, BOOK)
    site.get("/healthz")
    assert not site.gateway.sessions
    assert site.gateway.hub.following == 0
    assert site.gateway.door.enter("testclient") is None
