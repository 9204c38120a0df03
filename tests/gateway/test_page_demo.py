"""The page before the whole demo: every panel at work, a gateway that dies, a venue that falls silent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.gateway.browsing import browsing, listened, until
from tests.gateway.demo import Demo

VENUES = 6
WAIT_MS = 30_000
DESK, WIDE, PHONE = (
    ViewportSize(width=1440, height=900),
    ViewportSize(width=2560, height=1440),
    ViewportSize(width=390, height=844),
)
MATRIX = "#matrix td.book"
PAINTED = """() => {
  const canvas = document.querySelector("#depth-canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value > 0);
}"""
SILENT_S = 4.8  # after which ingest gives a socket up, docs/venues.md
SEEN_S = 1.0  # within which the page must say so
LOADED_S = 2.0  # granted to this machine, where eight processes and a browser share the cores
NOTE = """() => {
  window.seen = new Map();
  const note = () => {
    const nodes = document.querySelectorAll("tr[data-focused] [data-venue=kraken] .why, #ladder-detail, #venues li");
    for (const { textContent } of nodes) if (!seen.has(textContent)) seen.set(textContent, Date.now() / 1000);
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def demo(chromium: str) -> Iterator[Demo]:  # the browser is asked for first: without one the demo need not start
    with Demo("--rate", "300") as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with browsing(chromium) as running:
        yield running


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    with listened(browser, viewport=WIDE, reduced_motion="reduce") as opened:
        opened.goto(demo.address)
        expect(opened.locator(f"{MATRIX}[data-state=live]").first).to_be_visible(timeout=WAIT_MS)
        expect(opened.locator(f"{MATRIX}:not([data-state=live])")).to_have_count(0, timeout=WAIT_MS)
        yield opened


def moves(page: Page, selector: str) -> None:
    """Wait until what an element says has changed."""
    element = page.locator(selector).first
    expect(element).not_to_have_text(element.text_content() or "", timeout=WAIT_MS)


def test_every_panel_is_live(page: Page) -> None:
    for selector in ("#matrix tbody", "#ladder-body", "#books", "#tape tbody", "#depth-table tbody", "#pairs tbody"):
        moves(page, selector)
    until(page, PAINTED)
    for hop in ("engine", "hold", "fanout", "browser", "paint"):
        row = page.locator("#hops tr", has=page.locator(".hop", has_text=re.compile(f"^{hop}$")))
        expect(row.locator(".p99")).not_to_have_text("\u2013", timeout=WAIT_MS)


def test_a_phone_shows_one_panel_and_asks_for_no_more(page: Page) -> None:
    page.set_viewport_size(PHONE)
    for name in ("market", "ladder", "books", "trades", "depth", "edges", "latency"):
        page.locator(f"#tab-{name}").click()
        expect(page.locator("main .panel:visible")).to_have_count(1)
    page.locator("#tab-ladder").click()
    moves(page, "#ladder-body")


def test_a_killed_gateway_is_named_and_the_page_goes_on_by_itself(page: Page, demo: Demo) -> None:
    page.evaluate("window.isTheSame = true")
    demo.kill_gateway()
    expect(page.locator("#banner")).to_contain_text(
        re.compile(r"No connection to the gateway since \d\d:\d\d:\d\d"), timeout=WAIT_MS
    )
    expect(page.locator("#banner")).to_be_hidden(timeout=2 * WAIT_MS)
    expect(page.locator(f"{MATRIX}:not([data-state=live])")).to_have_count(0, timeout=WAIT_MS)
    moves(page, "#ladder-body")
    moves(page, "#tape tbody")
    assert page.evaluate("window.isTheSame")


def test_a_silent_venue_is_seen_within_the_bound_and_comes_back(page: Page, demo: Demo) -> None:
    """Who subscribes again gets no book for a while: else all would be over in a moment."""
    page.evaluate(NOTE)
    demo.control("inject", fault={"kind": "ack_silence", "venue": "kraken", "instruments": ["BTC-USDT"], "count": 1})
    muted = time.time()
    demo.control("mute", venue="kraken")
    for what in ("^(▲ stale|◔ syncing): .", r"^excluded: kraken \(\w+\)", r"kraken (\d|1[0-7]).18 live"):
        until(page, f"[...seen.keys()].some((text) => /{what}/.test(text))", SILENT_S + SEEN_S + LOADED_S)
    texts = page.evaluate("Object.fromEntries(seen)")
    told = min(at for text, at in texts.items() if text.startswith("excluded: kraken")) - muted
    assert told < SILENT_S + SEEN_S + LOADED_S, texts
    expect(page.locator(f"{MATRIX}:not([data-state=live])")).to_have_count(0, timeout=2 * WAIT_MS)
    expect(page.locator("#ladder-detail")).not_to_contain_text("excluded", timeout=WAIT_MS)
