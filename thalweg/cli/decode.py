"""`thalweg decode VENUE [CAPTURE]`: a capture's frames as events, without a server."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from thalweg.capture import MAX_LINE
from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    from ingest.decoding import Decoding


@click.command()
@click.argument("venue")
@click.argument("capture", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--book", is_flag=True, help="Print each book as it stands at the end.")
@click.option("--stats", is_flag=True, help="Print counts and the state of each book, as one JSON object.")
def command(venue: str, capture: Path | None, book: bool, stats: bool) -> None:
    """Decode a CAPTURE of VENUE (a file, .gz too, or standard input) and print its events as JSON lines.

    It runs the same code as the live worker: continuity is checked, gaps make books stale, whole books that came
    by REST are spliced in. Symbols that the instruments file does not have are taken with 8 decimals, or more
    where the capture's own metadata says so.

    \b
    Examples:
      thalweg decode kraken capture.jsonl.gz --stats
      zcat capture.jsonl.gz | thalweg decode bybit --book
    """
    from ingest.decoding import Decoding
    from ingest.venues import VENUES

    if venue not in VENUES:
        raise click.UsageError(f"unknown venue {venue!r}; known: {', '.join(VENUES)}")
    decoding = Decoding(VENUES[venue])
    write = sys.stdout.buffer.write
    try:
        trouble = _read(decoding, capture, None if book or stats else write)
        if book:
            write(decoding.books())
        if stats:
            write(decoding.stats())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads us has had enough
        sys.stderr.close()
        sys.exit(0)
    if trouble:
        raise click.ClickException(f"{capture or 'standard input'}: {trouble}")


def _read(decoding: Decoding, capture: Path | None, write: Callable[[bytes], object] | None) -> str | None:
    """Take a capture, writing its events; give what ended it early.

    All before that counts: a recorder that was killed leaves a file cut off.
    """
    try:
        with _open(capture) as file:
            for events in decoding.run(iter(lambda: file.readline(MAX_LINE + 1), b"")):
                if write is not None:
                    write(events)
    except BrokenPipeError:
        raise
    except (ThalwegError, OSError, EOFError, zlib.error) as error:
        return str(error)
    return None


@contextmanager
def _open(capture: Path | None) -> Iterator[BinaryIO]:
    """Give the capture's bytes, unpacked."""
    if capture is None:
        yield sys.stdin.buffer
        return
    with capture.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.open(raw) as file:
                yield file  # type: ignore[misc]  # GzipFile reads lines like any binary file
        else:
            yield raw
