"""The page before a gateway that wants a token: it asks the reader, and shows it to REST and to the socket alike."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.gateway.browsing import browsing, listened
from tests.gateway.feeder import Feeder, GatewayProcess

TOKEN = "not-so-very-secret"
INSTRUMENT = "BTC-USDT"
REFUSED = "the server responded with a status of 401"


def test_the_page_asks_for_the_token_and_goes_on_with_it(chromium: str, redis_url: str) -> None:
    process = GatewayProcess(redis_url, [INSTRUMENT], {"THALWEG_TOKEN": TOKEN})
    process.start()
    try:
        with (
            Feeder(redis_url, INSTRUMENT, ["kraken"]) as feeder,
            browsing(chromium) as browser,
            listened(browser, passing=REFUSED) as page,
        ):
            feeder.books["kraken"] = ({"100": "1"}, {"101": "1"})
            feeder.publish()
            page.goto(process.address)
            for shown in ("something-else-entirely", TOKEN):
                page.locator("#token-field").fill(shown)
                page.keyboard.press("Enter")
                if shown != TOKEN:
                    expect(page.locator("#token .note")).to_have_text("That was not the token.")
            expect(page.locator("#token")).to_be_hidden()
            expect(page.locator("#connection")).to_have_attribute("data-state", "open", timeout=10_000)
            expect(page.locator("#ladder-body .asks .price").last).to_have_text("101", timeout=10_000)
            page.reload()
            expect(page.locator("#connection")).to_have_attribute("data-state", "open", timeout=10_000)
            assert TOKEN not in page.url
    finally:
        process.stop()
