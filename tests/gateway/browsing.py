"""What the browser tests share: how the browser is started, and a page that is listened to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NETWORK = re.compile(r"net::ERR_(CONNECTION_REFUSED|NETWORK_CHANGED|EMPTY_RESPONSE)|WebSocket connection to .* failed")
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""


@contextmanager
def browsing(chromium: str, *more: str) -> Iterator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *more])
        try:
            yield running
        finally:
            running.close()


@contextmanager
def listened(browser: Browser, passing: str = "", **options: Any) -> Iterator[Page]:
    """Open an empty page; what it says to the console fails the test, and so do violations.

    What it says of a lost network does not, nor what holds `passing`.
    """
    context = browser.new_context(**options)
    opened = context.new_page()
    opened.add_init_script(VIOLATIONS)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield opened
        violations = opened.evaluate("window.violations ?? []")
    finally:
        print(*said, sep="\n")  # what a test that failed otherwise would not show
        context.close()
    heard = [line for line in said if not (passing and passing in line)]
    assert [line for line in heard if not NETWORK.search(line)] == []
    assert violations == []


def until(page: Page, condition: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds in a page; asked from outside, for its policy forbids a page to evaluate texts."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)
