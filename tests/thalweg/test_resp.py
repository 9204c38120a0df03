"""Packed commands: byte for byte what the server reads, also for words that hold line ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.resp import pack, pack_words


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert pack("SET", b"k", 12) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n12\r\n"


def test_text_is_counted_in_bytes() -> None:
    assert pack("é") == b"*1\r\n$2\r\n\xc3\xa9\r\n"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"", b"\r\n", b"$1\r\n"]), min_size=1, max_size=6))
def test_words_of_any_bytes_can_be_told_apart(words: list[bytes]) -> None:
    data, read = pack_words(words), []
    count, _, rest = data.partition(b"\r\n")
    for _ in range(int(count.removeprefix(b"*"))):
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.removeprefix(b"$"))
        read.append(rest[:length])
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]
    assert (read, rest) == (words, b"")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_numbers_and_text_are_packed_as_their_bytes(parts: list[int | str]) -> None:
    assert pack(*parts) == pack_words([str(part).encode() for part in parts])
