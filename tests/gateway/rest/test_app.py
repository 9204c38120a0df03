from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.rest.app import EVENT_STREAMS
from tests.gateway.site import SETTINGS, Site

TOKEN = "not-so-very-secret"
PATHS = [
    "/api/v1/trades/BTC-USDT",
    "/api/v1/spreads/BTC-USDT",
    "/api/v1/arbitrage?min_bps=-50",
    "/api/v1/impact/BTC-USDT?side=buy&qty=0.5",
    "/api/v1/books/BTC-USDT?group=0.5",
    "/api/v1/latency?hop=total",
    "/api/v1/stats",
    "/metrics",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_and_is_not_stored(site: Site, path: str) -> None:
    response = site.get(path)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/trades/BTC-USDT?limit=1001", 400),
        ("/api/v1/trades/NO-SUCH", 404),
        ("/api/v1/impact/BTC-USDT?side=hold&qty=1", 400),
        ("/api/v1/impact/BTC-USDT?side=buy", 400),
        ("/api/v1/impact/BTC-USDT?side=buy&qty=-1", 400),
        ("/api/v1/books/BTC-USDT?group=0", 400),
        ("/api/v1/books/BTC-USDT?group=0.001", 400),
        ("/api/v1/arbitrage?min_bps=x", 400),
        ("/api/v1/arbitrage?net=maybe", 400),
        ("/api/v1/stream", 400),
        ("/api/v1/stream?ch=cbook:NO-SUCH", 404),
        ("/api/v1/stream?ch=" + ",".join(f"book:kraken:{n}" for n in range(17)), 400),
    ],
)
def test_what_can_not_be_meant_is_a_problem(site: Site, path: str, status: int) -> None:
    response = site.get(path)
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/books/BTC-USDT", "/api/v1/books/kraken/BTC-USDT?depth=5"])
def test_a_book_that_has_not_changed_is_not_sent_again(site: Site, path: str) -> None:
    first = site.get(path)
    again = site.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    site.gateway.hub.replicas["BTC-USDT"].receive(site.maker.delta(), site.maker.ts)
    assert site.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_the_hops_can_be_chosen(site: Site) -> None:
    assert site.get("/api/v1/latency?hop=none").json() == {"hops": []}


def test_metrics_can_be_parsed(site: Site) -> None:
    response = site.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"thalweg_build_info", "thalweg_book_state", "thalweg_gateway_connections"} <= names


def test_event_streams_are_bounded(site: Site) -> None:
    site.gateway.event_streams = EVENT_STREAMS
    response = site.get("/api/v1/stream?ch=cbook:BTC-USDT")
    assert (response.status_code, response.headers["retry-after"]) == (429, "10")


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/version", "/api/v1/stream?ch=status"])
def test_where_a_token_is_set_it_is_asked_for(path: str) -> None:
    guarded = Site(replace(SETTINGS, token=TOKEN))
    guarded.fill()
    with guarded.client:
        refused = [guarded.get(path), guarded.get(path, headers={"authorization": "Bearer something-else-entirely"})]
        assert [one.status_code for one in refused] == [401, 401]
        assert refused[0].headers["www-authenticate"] == 'Bearer realm="thalweg"'
        assert refused[0].headers["content-type"] == "application/problem+json"
        if "stream" not in path:
            assert guarded.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_the_page_and_health_ask_for_no_token(path: str) -> None:
    guarded = Site(replace(SETTINGS, token=TOKEN))
    guarded.fill()
    with guarded.client:
        assert guarded.get(path).status_code == 200
