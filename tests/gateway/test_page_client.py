"""The page's client in a real browser: over a wire that breaks it goes on where it was, with every level and trade."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.gateway.browsing import browsing, listened, until
from tests.gateway.feeder import Feeder, GatewayProcess
from tests.gateway.relay import Relay
from thalweg.events import Taker

INSTRUMENT = "BTC-USDT"
DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"
FOLLOW = """async (url) => {
  const { follow } = await import("/static/example.js");
  window.told = [];
  window.client = follow(url, (...facts) => told.push(facts));
}"""
START = """async ([instrument]) => {
  const { Client } = await import("/static/client.js");
  window.trades = [];
  window.renewed = [];
  const onMessage = (message) => {
    if (message.t === "trades") trades.push(...message.x.map(([, price]) => price));
    if (message.t === "renewed") renewed.push(message);
  };
  window.client = new Client(new URL("/ws/v1", location.href).href.replace("http", "ws"), { onMessage });
  const channels = [`book:kraken:${instrument}`, `cbook:${instrument}`, `trades:*:${instrument}`];
  client.want(new Map(channels.map((channel) => [channel, { depth: 25, rate_ms: 100 }])));
  client.open();
}"""
BIDS = "() => (client.book('book:kraken:BTC-USDT')?.bids ?? []).map(({ price, size }) => [price, size].join(' '))"


@pytest.fixture
def wire(redis_url: str) -> Iterator[tuple[Relay, Feeder]]:
    with redis.Redis.from_url(redis_url) as server:
        server.flushall()
    process = GatewayProcess(redis_url, [INSTRUMENT])
    process.start()
    try:
        with Relay(process.address) as relay, Feeder(redis_url, INSTRUMENT, ["kraken", "bybit"]) as feeder:
            yield relay, feeder
    finally:
        process.stop()


def test_after_a_cut_the_client_goes_on_and_misses_nothing(chromium: str, wire: tuple[Relay, Feeder]) -> None:
    relay, feeder = wire
    feeder.books["kraken"] = ({"100": "1", "99": "2"}, {"101": "1"})
    feeder.publish()
    with browsing(chromium) as browser, listened(browser) as page:
        page.goto(relay.address)  # the page has a client of its own, which is cut off too
        page.evaluate(START, [INSTRUMENT])
        until(page, f"({BIDS})().length === 2 && client.place('trades:*:{INSTRUMENT}')")
        feeder.books["kraken"] = ({"100": "1.5", "99": "2"}, {"101": "1"})  # the very first place is never gone on from
        feeder.publish(("kraken", Taker.BUY, "101", "1"))
        until(page, f"({BIDS})()[0] === '100 1.5' && trades.length === 1")
        relay.cut()
        until(page, "client.state !== 'open'")
        feeder.books["kraken"] = ({"100.5": "3", "99": "4"}, {"101": "1"})
        feeder.publish(("kraken", Taker.BUY, "101.5", "1"), ("bybit", Taker.SELL, "100.5", "2"))
        until(page, "client.state === 'open' && trades.length === 3")
        until(page, f"({BIDS})().join() === '100.5 3,99 4'")
        assert page.evaluate("trades") == ["101", "101.5", "100.5"]
        counts = page.evaluate("client.counts")
        assert (counts["resumed"], counts["snapshots"]) == (3, 2), counts  # two books and trades; the books' first
        assert page.evaluate("renewed") == []


def test_the_program_of_the_document_runs_and_resumes(chromium: str, wire: tuple[Relay, Feeder]) -> None:
    (program,) = re.findall(r"```js\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    relay, feeder = wire
    feeder.books["kraken"] = ({"100": "1"}, {"101": "1"})
    feeder.publish()
    with browsing(chromium) as browser:
        page = browser.new_page()
        logged: list[str] = []
        page.on("console", lambda message: logged.append(message.text))
        page.route("**/static/example.js", lambda route: route.fulfill(body=program, content_type="text/javascript"))
        page.goto(relay.address + "openapi.json")  # ours, and without a page that says something too
        page.evaluate(FOLLOW, relay.address.replace("http", "ws") + "ws/v1")
        until(page, "told.some(([ch, how, bid, ask]) => how === 'snap' && bid === '100' && ask === '101')")
        feeder.books["kraken"] = ({"100.5": "1"}, {"101": "1"})
        feeder.publish(("kraken", Taker.BUY, "101", "2"))
        until(page, "told.some(([, how, bid]) => how === 'd' && bid === '100.5')")
        relay.cut()
        until(page, "told.some(([, how]) => how === 'resumed')")
        assert page.evaluate("[client.counts.gap, client.counts.checksum]") == [0, 0]
        assert "b 101 2" in logged
