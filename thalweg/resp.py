"""Redis commands as bytes (RESP), packed by us so that a whole flush is one write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Reply: TypeAlias = Any
"""What a server answered: bytes, int, None, an error as a value, or lists of them."""


def pack(*parts: bytes | str | int) -> bytes:
    """Give one command in the form the server reads."""
    words = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return pack_words(words)


def pack_words(words: Sequence[bytes]) -> bytes:
    """Give one command whose words are bytes already."""
    head = b"*%d\r\n" % len(words)
    return head + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
