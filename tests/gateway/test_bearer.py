from __future__ import annotations

import pytest

from gateway.bearer import OPEN, Guard, from_header, from_subprotocols

TOKEN = "not-so-very-secret"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Bearer", ""),
    ],
)
def test_a_header_holds_a_token_after_its_scheme(header: str | None, token: str | None) -> None:
    assert from_header(header) == token


def test_a_token_is_found_among_the_offered_subprotocols() -> None:
    assert from_subprotocols(["thalweg.v1+json", f"thalweg.token.{TOKEN}"]) == TOKEN
    assert from_subprotocols(["thalweg.v1+json"]) is None


@pytest.mark.parametrize("shown", [None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\ud800"])
def test_only_the_token_is_admitted(shown: str | None) -> None:
    assert Guard(TOKEN).needed
    assert Guard(TOKEN).admits(TOKEN)
    assert not Guard(TOKEN).admits(shown)


def test_where_none_is_set_everybody_is_admitted() -> None:
    assert not OPEN.needed
    assert OPEN.admits(None)
