"""A venue's list of symbols: where it is, and how one entry of it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ingest.fields import Object, as_object, parse_json, split_url
from ingest.units import read_listings
from ingest.venue import Listing, Metadata
from thalweg.errors import DecodeError


def metadata_at(
    path: str, keys: Sequence[str], read: Callable[[Object], tuple[str, Listing]], query: str = "", weight: int = 1
) -> Metadata:
    """Give the way to a venue's list of symbols.

    Args:
        path: where it is, below the REST base.
        keys: lead to the list of entries in the answer; none where the answer is the list.
        read: gives an entry's symbol and listing, or raises DecodeError for one that counts as not listed.
        query: what the request asks for.
        weight: what one request takes of the venue's `rest_limit`.
    """
    wanted = parse_qsl(query)

    def matches(url: str) -> bool:
        found, said = split_url(url)
        return found.endswith(path) and all(said.get(key, value) == value for key, value in wanted)

    def decode(body: bytes) -> dict[str, Listing]:
        return read_listings(_entries(parse_json(body), keys), read)

    return Metadata(lambda base: f"{base}{path}{f'?{query}' if query else ''}", matches, decode, weight)


def _entries(found: Any, keys: Sequence[str]) -> list[Object]:
    """Give the entries of an answer.

    Raises:
        DecodeError: an undocumented shape of the whole.
    """
    for key in keys:
        found = as_object(found).get(key)
    if not isinstance(found, list):
        raise DecodeError("not a list of symbols")
    return [as_object(entry) for entry in found]
