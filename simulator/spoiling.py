"""Frames made wrong: what a fault sends in the place of one, or makes of it. None of it is told to the oracle."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from simulator.topic import Desk, Effect, Raw

MIB = 2**20
JUNK = b'{"e":"depthUpdate","E":17,'  # cut short, as a broken proxy sends
BINARY, TEXT = 2, 1  # opcodes
# A level of any dialect, after the size's key, as the second of a pair or, bare and maybe signed, as the last of three:
# what is before the size, and the size.
SIZE = re.compile(rb'(\["[0-9.]+",|\[[0-9.]+,[0-9]+,|"qty":|"new_quantity":)"?(-?[0-9]+(?:\.[0-9]+)?)"?')
CHECKSUM = re.compile(rb'(,"checksum":|"cs",)-?\d+')  # beside a book's levels, or in a frame of its own


def oversized(body: bytes, mebibytes: float) -> Effect:
    """Give a frame of that many MiB, of the same shape as any: valid JSON."""
    return b'{"padding":"%b"}' % (b"x" * int(mebibytes * MIB))


def garbage(body: bytes, amount: float) -> Effect:
    """Give a binary frame that looks compressed, as some venues send: gzip within the message."""
    packer = zlib.compressobj(wbits=31)
    return Raw(packer.compress(body) + packer.flush(), BINARY)


def compressed(body: bytes, amount: float) -> Effect:
    """Give a frame that says it is compressed by the protocol, which nobody agreed to; it would inflate a lot."""
    packer = zlib.compressobj(wbits=-15)
    return Raw(packer.compress(b"0" * MIB) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4], TEXT, reserved=True)


def _with_size(write: Callable[[bytes], bytes]) -> Callable[[bytes, float], Effect]:
    """Give the function that writes the first level's size in another way."""

    def spoil(body: bytes, amount: float) -> Effect:
        return SIZE.sub(lambda match: match[1] + write(match[0]), body, count=1)

    return spoil


def _exponent(level: bytes) -> bytes:
    """Write a size with an exponent and the same digits: `0.50` is `050e-2`, in JSON `50e-2`."""
    match = SIZE.fullmatch(level)
    size = match[2] if match else b"0"
    sign, size = size[: size.startswith(b"-")], size.removeprefix(b"-")
    digits, places = size.replace(b".", b"").lstrip(b"0") or b"0", len(size.partition(b".")[2])
    text = b"%b%be-%d" % (sign, digits, places)
    return b'"%b"' % text if level.endswith(b'"') else text


def _nan(level: bytes) -> bytes:
    return b'"NaN"' if level.endswith(b'"') else b"NaN"


SPOILS: dict[str, Callable[[bytes, float], Effect]] = {
    "oversized": oversized,
    "garbage": garbage,
    "compressed": compressed,
    "number_null": _with_size(lambda level: b"null"),
    "number_nan": _with_size(_nan),
    "number_exponent": _with_size(_exponent),
}


LIES: dict[str, Callable[[bytes], bytes]] = {
    "checksum_zero": lambda body: CHECKSUM.sub(rb"\g<1>0", body),
    "checksum_gone": lambda body: CHECKSUM.sub(lambda match: b"" if match[1][:1] == b"," else b'"hb"', body),
    "checksum_stuck": lambda body: CHECKSUM.sub(rb"\g<1>1234567890", body),
}


def crossing(desk: Desk) -> tuple[int, int]:
    """Give a bid, price and size, that stands above the third best ask, as one whose removal was never told."""
    return desk.market.asks.rank(3), 3 * desk.market.listing.lot


def with_bid(body: bytes, mark: bytes, row: bytes) -> bytes:
    """Give a frame with one bid more, put first where the mark says that bids begin."""
    head, found, tail = body.partition(mark)
    return body if not found else head + found + row + (b"" if tail.startswith(b"]") else b",") + tail
