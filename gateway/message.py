r"""Messages: texts joined, framed and compressed once for all clients that get the same.

A frame is unmasked and unfragmented (RFC 6455, section 5.2), its payload the texts, one a line:

| byte | what |
|---|---|
| 0 | 0x81 text; 0xC1 text, compressed (RFC 7692, section 6) |
| 1 | length of the payload below 126; 126 and two bytes of length; 127 and eight |

Compressed texts can be joined like plain ones. Each is deflated without looking back at another and ends in an empty
stored block, `00 00 ff ff` after its header (RFC 1951, section 3.2.4). Between two texts that block holds the line end
instead: `01 00 fe ff 0a`. At the end of a message it is left out, as RFC 7692, section 7.2.1, demands. History: 1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

LINE, DEFLATED_LINE = b"\n", b"\x01\x00\xfe\xff\n"
EMPTY_BLOCK = b"\x00\x00\xff\xff"
TEXT, DEFLATED = 0x81, 0xC1
LEVEL = 6  # 14 us for a frame of 450 bytes, 250 us for 36 of them at once
WINDOW_BITS = 12  # 4 KiB; a client that asks for less gets plain frames
SMALL_BYTES = 128  # of a message: compressing less saves a packet nothing
WHOLE_BYTES = 256 * 1024  # of text compressed as whole messages in one tick: 4 ms


def framed(payload: bytes, first: int = TEXT) -> bytes:
    """Give a frame."""
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 1 << 16:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


class Deflater:
    """Compresses what is sent in one tick.

    A whole message takes half the bytes of its texts one by one, but serves only those that get the same; when there
    are many different ones, the rest is joined from texts, of which each is compressed once.
    """

    def __init__(self) -> None:
        """Begin with nothing compressed."""
        self._stream: Any = None
        self._texts: dict[bytes, bytes] = {}
        self._left = WHOLE_BYTES

    def join(self, texts: Sequence[bytes]) -> bytes:
        """Give the payload of a compressed message."""
        size = sum(map(len, texts))
        if size > self._left:
            return DEFLATED_LINE.join(map(self._once, texts))
        self._left -= size
        return self._deflate(LINE.join(texts))

    def _once(self, text: bytes) -> bytes:
        made = self._texts.get(text)
        if made is None:
            made = self._texts[text] = self._deflate(text)
        return made

    def _deflate(self, text: bytes) -> bytes:
        """Compress a text: a full flush makes the next one forget it."""
        if self._stream is None:  # 131 KB to be cleared, which most ticks at the raw rate can do without
            self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
        packed: bytes = self._stream.compress(text) + self._stream.flush(zlib.Z_FULL_FLUSH)
        return packed.removesuffix(EMPTY_BLOCK)


class Message:
    """Texts for one client or many; its frames are made when the first of them asks. Empty if it has no text."""

    __slots__ = ("_deflated", "_deflater", "_plain", "_texts", "size")

    def __init__(self, texts: Iterable[bytes], deflater: Deflater) -> None:
        """Join texts; empty ones are left out."""
        self._texts = [text for text in texts if text]
        self._deflater = deflater
        self._plain = self._deflated = b""
        self.size = sum(map(len, self._texts))

    @property
    def text(self) -> bytes:
        """The payload of the plain frame."""
        return LINE.join(self._texts)

    @property
    def plain(self) -> bytes:
        """The frame."""
        if not self._plain:
            self._plain = framed(self.text)
        return self._plain

    @property
    def deflated(self) -> bytes:
        """The frame, compressed where that pays."""
        if not self._deflated:
            small = self.size < SMALL_BYTES
            self._deflated = self.plain if small else framed(self._deflater.join(self._texts), DEFLATED)
        return self._deflated
