"""Pictures of the page before the demo, for the documents: `make images`, or `python -m tests.gateway.images`.

Each is taken when all books are live and time has passed for charts to fill, and is written with a palette of 256
colours: a quarter of the size, and the page uses few.
"""

from __future__ import annotations

import base64
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click
import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.gateway.browsing import FLAGS
from thalweg.cli.embedded import free_port

ROOT = Path(__file__).parents[2]
SIZES = {"1440x900": (1440, 900), "2560x1440": (2560, 1440), "390x844": (390, 844)}
THEMES: dict[str, Literal["dark", "light"]] = {"dark": "dark", "light": "light"}
FILL_S = 12.0  # sparklines and percentiles need a while to show anything
SETTLE_S = 3.0
START_MS = 90_000  # the demo on a busy machine
COLOURS = 256
PIXELS = """async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return btoa(text);
}"""


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo and give its address."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("thalweg")), "up", "--demo", "--port", str(port), "--rate", "600"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def await_page(page: Page, address: str) -> None:
    """Open the page once there is one, and wait for its books."""
    deadline = time.monotonic() + START_MS / 1000
    while True:
        try:
            page.goto(address)
            break
        except Exception as error:  # playwright has one class for every trouble; only this one passes
            if "ERR_CONNECTION" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    page.locator("#connection[data-state=open]").wait_for(timeout=START_MS)
    while "OK" not in page.evaluate("fetch('readyz').then((answer) => answer.text())"):
        if time.monotonic() > deadline:
            raise TimeoutError("not all books have become live")
        time.sleep(0.5)


def quantised(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give a palette of at most 256 colours, and each pixel's place in it."""
    flat = pixels.reshape(-1, 3).astype(np.uint32)
    exact = flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2]
    colours, inverse, counts = np.unique(exact, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(counts)[::-1][:COLOURS])
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)
    palette = channels[kept]
    nearest = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), 4096):
        part = channels[start : start + 4096]
        nearest[start : start + 4096] = ((part[:, None] - palette[None]) ** 2).sum(axis=2).argmin(axis=1)
    return palette.astype(np.uint8), nearest[inverse].reshape(pixels.shape[:2])


def png(palette: np.ndarray, places: np.ndarray) -> bytes:
    """Write an indexed PNG."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = places.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), places], axis=1)  # each row says: not filtered
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def save(page: Page, path: Path) -> None:
    """Take a picture and write it small. A second page, which would hide the first, is there only for that."""
    source = "data:image/png;base64," + base64.b64encode(page.screenshot(timeout=60_000)).decode()
    size = page.viewport_size or {"width": 0, "height": 0}
    blank = page.context.new_page()
    raw = np.frombuffer(base64.b64decode(blank.evaluate(PIXELS, source)), np.uint8)
    blank.close()
    pixels = raw.reshape(size["height"], size["width"], 4)[:, :, :3]
    path.write_bytes(png(*quantised(pixels)))
    click.echo(f"{path} {path.stat().st_size / 1024:.0f} KiB")


def take(browser: Browser, address: str, folder: Path, size: str, theme: str, query: str) -> None:
    """One picture, or on a phone one of every panel that `query` names."""
    width, height = SIZES[size]
    context = browser.new_context(viewport=ViewportSize(width=width, height=height), color_scheme=THEMES[theme])
    page = context.new_page()
    await_page(page, address + query)
    time.sleep(FILL_S if not query.startswith("?panel") else SETTLE_S)
    label = re.sub(r"\W+", "-", query.partition("panel=")[2])
    save(page, folder / f"page-{size}-{theme}{'-' + label if label else ''}.png")
    context.close()


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "images")
@click.option("--address", help="Of a page that runs; by default the demo is started.")
@click.option("--sizes", default=",".join(SIZES))
@click.option("--themes", default=",".join(THEMES))
@click.option("--panels", default="ladder", help="On a phone, which ones.")
@click.option("--query", default="", help="What the address ends with, on a desk.")
def main(out: Path, address: str | None, sizes: str, themes: str, panels: str, query: str) -> None:
    """Take all pictures."""
    out.mkdir(parents=True, exist_ok=True)
    if address is None:
        with demo() as started:
            return _take_all(out, started, sizes.split(","), themes.split(","), panels.split(","), query)
    return _take_all(out, address, sizes.split(","), themes.split(","), panels.split(","), query)


def _take_all(out: Path, address: str, sizes: list[str], themes: list[str], panels: list[str], query: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["THALWEG_CHROMIUM"], args=list(FLAGS))
        for size in sizes:
            for theme in themes:
                for ending in [f"?panel={panel}" for panel in panels] if size == "390x844" else [query]:
                    take(browser, address, out, size, theme, ending)
        browser.close()


if __name__ == "__main__":
    main()
