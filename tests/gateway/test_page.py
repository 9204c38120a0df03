"""The page in a real browser, before a real gateway and a real Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import redis
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.gateway.browsing import browsing, listened
from tests.gateway.feeder import Feeder, GatewayProcess
from thalweg.events import State, Taker

INSTRUMENT, OTHER = "BTC-USDT", "ETH-USD"
VENUES = ("binance", "bybit", "kraken", "coinbase")
WAIT_MS = 15_000
LIVE = "#matrix td.book[data-state=live]"
AXE = Path(__file__).with_name("vendor") / "axe.min.js"
DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with browsing(chromium) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(redis_server: str) -> Iterator[GatewayProcess]:
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    process = GatewayProcess(redis_server, [INSTRUMENT, OTHER])
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def feeding(redis_server: str, gateway: GatewayProcess) -> Iterator[Feeder]:
    with Feeder(redis_server, INSTRUMENT, VENUES, [OTHER]) as feeder:
        feeder.guard("kraken", "checksum", 10)
        yield feeder


@pytest.fixture
def feeder(feeding: Feeder) -> Feeder:
    """Four live books; binance and kraken share the best ask, and no sum fits a float's 15 digits."""
    feeding.books["binance"] = ({"64210.11": "0.1"}, {"64210.2": "0.10000001", "64210.3": "9234567890.00000001"})
    feeding.books["bybit"] = ({"64210.1": "2"}, {"64210.25": "0.3"})
    feeding.books["kraken"] = ({"64209": "1"}, {"64210.2": "0.2"})
    feeding.books["coinbase"] = ({"64208.5": "0.00000001"}, {"64211": "1"})
    for venue in VENUES:
        feeding.judge(venue, State.LIVE, "")
    feeding.publish()
    return feeding


@pytest.fixture
def page(browser: Browser, gateway: GatewayProcess, feeder: Feeder) -> Iterator[Page]:
    """The page, all books live; anything it says to the console fails the test, save of a lost network."""
    with listened(browser, viewport=DESK, reduced_motion="reduce") as opened:
        opened.goto(gateway.address)
        expect(opened.locator(LIVE)).to_have_count(4, timeout=WAIT_MS)
        yield opened


def column(page: Page, rows: str, name: str) -> list[str]:
    texts = page.locator(f"{rows} .{name}").all_text_contents()
    return [text.strip() for text in texts if text.strip()]


def test_ladders_show_every_digit_and_exact_sums(page: Page) -> None:
    asks = page.locator("#ladder-body .asks")
    expect(asks).to_contain_text("64211.00", timeout=WAIT_MS)
    assert column(page, "#ladder-body .asks", "price") == ["64211.00", "64210.30", "64210.25", "64210.20"]
    assert column(page, "#ladder-body .asks", "size") == ["1", "9234567890.00000001", "0.3", "0.30000001"]
    totals = ["9234567891.60000002", "9234567890.60000002", "0.60000001", "0.30000001"]
    assert column(page, "#ladder-body .asks", "total") == totals
    assert column(page, "#ladder-body .bids", "price") == ["64210.11", "64210.10", "64209.00", "64208.50"]
    page.keyboard.press("v")
    expect(page.locator("#books article:nth-child(4) .bids .size").first).to_have_text("0.00000001")


def test_a_level_tells_who_quotes_it(page: Page) -> None:
    page.locator("#ladder-body tr[data-side=asks][data-depth='0']").hover()
    expect(page.locator("#ladder-card")).to_contain_text("ask 64210.2 \u00d7 0.30000001")
    assert page.locator("#ladder-card p").all_text_contents()[1:3] == [
        "kraken   0.2\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0",
        "binance  0.10000001",
    ]


def test_a_level_tells_what_it_costs_to_get_there(page: Page) -> None:
    page.locator("#ladder-body tr[data-side=asks][data-depth='1']").hover()
    expect(page.locator("#ladder-card")).to_contain_text("buy up to here: 0.60000001, 2 levels")
    expect(page.locator("#ladder-card")).to_contain_text(
        "costs 38526.135642102"
    )  # 64210.2 * 0.30000001 + 64210.25 * 0.3


def test_a_crossed_ladder_is_named_so(page: Page, feeder: Feeder) -> None:
    feeder.books["kraken"] = ({"64210.22": "1"}, {"64210.4": "1"})
    feeder.publish()
    expect(page.locator(".crossing")).to_have_text(
        "crossed by 0.02, <0.01 bps: kraken bid > binance ask", timeout=WAIT_MS
    )
    expect(page.locator("#matrix .all[data-crossed]")).to_have_count(1)


def test_a_stale_book_is_stamped_and_left_out(page: Page, feeder: Feeder) -> None:
    kraken = page.locator("#venues li").nth(2)
    expect(kraken).to_contain_text("1/2 live")
    expect(kraken).to_contain_text("verified 1 of 2")
    feeder.judge("kraken", State.STALE, "checksum mismatch")
    feeder.publish()
    stamp = page.locator("#books .stamp[data-venue=kraken]")
    expect(stamp).to_contain_text("checksum mismatch. Excluded from the consolidated ladder.", timeout=WAIT_MS)
    expect(page.locator("#matrix td[data-venue=kraken] .why").first).to_have_text("▲ stale: checksum mismatch")
    expect(kraken).to_contain_text("0/2 live")
    expect(kraken).to_contain_text("verified 0 of 2")
    expect(page.locator("#ladder-detail")).to_have_text("excluded: kraken (stale)")
    assert column(page, "#ladder-body .asks", "size")[-1] == "0.10000001"


def test_trades_arrive_newest_first_and_stop_while_they_are_read(page: Page, feeder: Feeder) -> None:
    feeder.publish(("kraken", Taker.SELL, "64210.1", "0.5"), ("bybit", Taker.BUY, "64210.25", "0.00000001"))
    rows = page.locator("#tape tbody tr")
    expect(rows).to_have_count(2, timeout=WAIT_MS)
    assert column(page, "#tape tbody", "taker") == ["▲ buy", "▼ sell"]
    assert column(page, "#tape tbody", "price") == ["64210.25", "64210.10"]
    page.locator("#tape-box").hover()
    feeder.publish(("binance", Taker.BUY, "64210.2", "1"))
    expect(page.locator("#trades-new")).to_have_text("paused · +1 new", timeout=WAIT_MS)
    expect(rows).to_have_count(2)
    page.mouse.move(5, 5)
    expect(rows).to_have_count(3, timeout=WAIT_MS)


def test_a_lost_gateway_is_told_and_found_again(page: Page, gateway: GatewayProcess) -> None:
    gateway.stop()
    expect(page.locator("#banner")).to_contain_text("No connection to the gateway since", timeout=WAIT_MS)
    expect(page.locator("#connection")).to_have_attribute("data-state", "waiting")
    gateway.start()
    expect(page.locator("#banner")).to_be_hidden(timeout=25_000)
    expect(page.locator(LIVE)).to_have_count(4, timeout=WAIT_MS)


def test_hops_stand_beside_what_they_measure(page: Page, feeder: Feeder) -> None:
    feeder.publish()
    page.keyboard.press("p")
    hold = page.locator("#hops tr", has=page.locator(".hop", has_text="hold"))
    expect(hold.locator(".p99")).not_to_have_text("\u2013", timeout=WAIT_MS)
    expect(page.locator("#hops")).to_contain_text("Waits for the gateway's next tick, by design.")


def test_keys_move_in_the_matrix_and_focus_an_instrument(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("eth")
    page.keyboard.press("Enter")
    expect(page.locator("#ladder-title")).to_have_text("ETH-USD ladder")
    page.keyboard.press("1")
    expect(page.locator("#ladder-title")).to_have_text("BTC-USDT ladder")
    page.locator("#matrix td[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#matrix td:focus")).to_have_attribute("data-venue", "kraken")
    expect(page.locator("#ladder-title")).to_have_text("ETH-USD ladder")
    assert "instrument=ETH-USD" in page.url


def test_single_keys_group_freeze_and_switch(page: Page, feeder: Feeder) -> None:
    page.locator("body").press("]")
    expect(page.locator("#group")).to_have_value("1")
    for _ in range(3):
        page.keyboard.press("]")
    expect(page.locator("#ladder-body .asks .price").last).to_have_text("64210.20")
    assert column(page, "#ladder-body .asks", "price") == ["64211.00", "64210.30", "64210.20"]  # rows of 0.10
    page.keyboard.press("Shift+Digit1")
    expect(page.locator("#ladder-detail")).to_have_text("excluded: binance (switched off)")
    page.keyboard.press("Shift+Digit1")
    page.keyboard.press("Space")
    expect(page.locator("#frozen")).to_contain_text("Frozen at")
    feeder.books["bybit"] = ({"64210.1": "7"}, {"64210.25": "0.3"})
    feeder.publish(("binance", Taker.BUY, "64210.2", "1"))
    expect(page.locator("#frozen")).to_contain_text("1 trade.", timeout=WAIT_MS)
    assert "7" not in column(page, "#ladder-body .bids", "size")
    page.keyboard.press("Space")
    expect(page.locator("#frozen")).to_be_hidden()
    expect(page.locator("#ladder-body .bids")).to_contain_text("7", timeout=WAIT_MS)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    assert "group=10" in page.url


def test_venues_share_one_price_axis(page: Page) -> None:
    rows = page.locator("#books .axis tbody tr")
    best = page.locator("#books .axis td[data-best]")
    expect(best).to_have_count(8, timeout=WAIT_MS)  # four venues, two sides
    kraken = rows.filter(has=page.locator("td:nth-child(4)[data-best][data-side=asks]"))
    binance = rows.filter(has=page.locator("td:nth-child(2)[data-best][data-side=asks]"))
    assert kraken.locator("th").text_content() == binance.locator("th").text_content()  # both ask 64210.2


def test_an_edge_is_told_with_the_size_at_which_it_is_gone(page: Page, feeder: Feeder) -> None:
    feeder.books["kraken"] = ({"64274.51": "0.05", "64200": "1"}, {"64280": "1"})
    feeder.publish()
    page.keyboard.press("a")
    cell = page.locator("#pairs tbody tr:nth-child(1) td:nth-child(4)")  # buy on binance, sell on kraken
    expect(cell.locator(".edge")).to_have_text("+10.02", timeout=WAIT_MS)
    expect(cell.locator(".size")).to_have_text("0.05")
    expect(page.locator("#edges-notes")).to_contain_text("All in USDT")
    feeder.judge("kraken", State.STALE, "checksum mismatch")
    feeder.publish()
    expect(cell).to_have_attribute("data-kind", "barred", timeout=WAIT_MS)
    expect(cell.locator(".size")).to_have_text("kraken stale")


def test_the_diagnostics_count_losses_and_show_messages(page: Page, feeder: Feeder) -> None:
    page.keyboard.press("x")
    kraken = page.locator("#diagnostics .losses tr", has=page.get_by_role("rowheader", name=f"kraken:{INSTRUMENT}"))
    losses = int(kraken.locator("td").nth(2).text_content() or "0")
    feeder.judge("kraken", State.STALE, "checksum mismatch")
    feeder.publish()
    expect(kraken.locator("td").nth(2)).to_have_text(str(losses + 1), timeout=WAIT_MS)
    expect(kraken).to_contain_text("checksum mismatch")
    expect(kraken.locator("td").last).to_have_text("unverified: stale")
    expect(page.locator("#diagnostics .messages")).to_contain_text('"t":"hb"', timeout=WAIT_MS)
    page.keyboard.press("Escape")
    expect(page.locator("#diagnostics")).to_be_hidden()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_barrier_that_a_program_can_find(page: Page, size: ViewportSize, theme: Literal["dark", "light"]) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    panels = ["b", "n", "t", "d", "a", "p", "m", "x"]
    found = []
    for key in panels:
        page.keyboard.press(key)
        page.wait_for_timeout(100)  # not for a state: axe looks at whatever has been drawn by then
        result = page.evaluate("axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })")
        found += [
            (key, one["id"], one["nodes"][0]["html"][:120], one["nodes"][0]["failureSummary"])
            for one in result["violations"]
        ]
    assert not found, "\n\n".join(f"{key}: {rule}: {node}\n{why}" for key, rule, node, why in found)


@pytest.mark.parametrize(("size", "panels"), [(DESK, 5), (PHONE, 1)], ids=["desk", "phone"])
def test_nothing_sticks_out(page: Page, size: ViewportSize, panels: int) -> None:
    page.set_viewport_size(size)
    expect(page.locator("main .panel:visible")).to_have_count(panels)
    extent = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert extent == [size["width"], size["height"]]


def test_a_page_that_was_loaded_in_part_is_loaded_again(page: Page) -> None:
    failing = re.compile("/static/main.js$")
    page.route(failing, lambda route: route.abort("connectionrefused"))
    page.reload()
    expect(page.locator("#matrix tbody tr")).to_have_count(0)
    page.unroute(failing)
    expect(page.locator(LIVE)).to_have_count(4, timeout=2 * WAIT_MS)
