from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from gateway.message import SMALL_BYTES, WHOLE_BYTES, WINDOW_BITS, Deflater, Message, framed


class Browser:
    """A library's client that agreed on compression as our server does."""

    def __init__(self) -> None:
        self._client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
        self._client.extensions = [PerMessageDeflate(True, True, WINDOW_BITS, 15)]

    def read(self, frame: bytes) -> bytes:
        self._client.receive_data(frame)
        (event,) = self._client.events_received()
        assert isinstance(event, Frame)
        assert (event.opcode, event.fin) == (Opcode.TEXT, True)
        return bytes(event.data)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_library_reads_the_frames_that_we_build(length: int) -> None:
    text = b"x" * length
    assert Browser().read(framed(text)) == text


def spent() -> Deflater:
    """One that has compressed so much in its tick that it joins from now on."""
    deflater = Deflater()
    deflater.join([b"x" * WHOLE_BYTES])
    return deflater


TEXTS = st.lists(st.binary(max_size=300) | st.binary(max_size=20).map(lambda part: part * 400), max_size=8)


@pytest.mark.parametrize("deflater", [Deflater(), spent()], ids=["whole", "from its texts"])
@given(messages=st.lists(TEXTS, max_size=4))
def test_every_frame_of_a_message_holds_its_texts(deflater: Deflater, messages: list[list[bytes]]) -> None:
    browser = Browser()
    for texts in messages:
        expected = b"\n".join(text for text in texts if text)
        message = Message(texts, deflater)
        assert (message.text, browser.read(message.plain), browser.read(message.deflated)) == (expected,) * 3


def books(count: int) -> list[bytes]:
    numbers = random.Random(3)
    return [b'{"ch":"book:kraken:BTC-USDT","b":[["%d","1.5"]]}' % numbers.randrange(10**9) * 5 for _ in range(count)]


def test_compressed_texts_are_joined_as_they_are() -> None:
    texts, deflater = books(4), spent()
    alone = [deflater.join([text]) for text in texts]
    assert deflater.join(texts) == b"\x01\x00\xfe\xff\n".join(alone)
    assert deflater.join(texts[::-1]) == b"\x01\x00\xfe\xff\n".join(alone[::-1])


def test_a_message_for_many_is_compressed_as_a_whole() -> None:
    texts = books(30)
    assert len(Deflater().join(texts)) < 0.5 * len(spent().join(texts))


def test_how_much_is_compressed_as_whole_messages_is_bounded() -> None:
    deflater, texts = Deflater(), books(30)
    sizes = [len(deflater.join(texts)) for _ in range(WHOLE_BYTES // sum(map(len, texts)) + 1)]
    assert sizes[-2] == sizes[0]
    assert sizes[-1] > 2 * sizes[0]


def test_a_frame_is_made_once() -> None:
    message = Message(books(30), Deflater())
    assert message.plain is message.plain
    assert message.deflated is message.deflated


def test_what_is_small_is_left_plain() -> None:
    small = Message([b"x" * (SMALL_BYTES - 1)], Deflater())
    assert small.deflated is small.plain
    assert Message([b"x" * SMALL_BYTES], Deflater()).deflated[0] == 0xC1


def test_a_message_of_nothing_is_empty() -> None:
    assert (Message([b"", b""], Deflater()).size, Message([b"a", b"bc"], Deflater()).size) == (0, 3)
