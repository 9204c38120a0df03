"""The fields of a frame, taken only in the type that the venue documents.

A frame comes from outside: a field that is missing or of another type is a `DecodeError`, and no text travels on
that is long or not a name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlsplit

import orjson

from thalweg.errors import DecodeError
from thalweg.fixed import INT64_MAX
from thalweg.instruments import SYMBOL

Object: TypeAlias = dict[str, Any]
Choice = TypeVar("Choice")
WORDS_MAX = 120  # characters of a venue's own words that are kept
_EXACT = json.JSONDecoder(parse_float=str, parse_constant=str)  # a float would lose the digits


def parse_object(frame: bytes) -> Object:
    """Give a frame that is a JSON object; for venues that write prices and sizes as strings.

    Raises:
        DecodeError: not UTF-8, not JSON, nested too deep, or not an object.
    """
    return as_object(parse_json(frame))


def parse_json(frame: bytes) -> object:
    """Give what a frame of JSON holds; for venues that write prices and sizes as strings.

    Raises:
        DecodeError: not UTF-8, not JSON, or nested too deep.
    """
    try:
        return orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}") from error


def parse_exact(frame: bytes) -> object:
    """Give what a frame of JSON holds, for venues that write prices and sizes as bare numbers: those come as text.

    Floats come as the digits that were sent, integers as `int`, and `NaN`, which is no number, as the text it is.

    Raises:
        DecodeError: not UTF-8, not JSON, or nested too deep.
    """
    try:
        return _EXACT.decode(frame.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not JSON: {error}") from error


def digits_of(number: object) -> object:
    """Give a bare number's own digits, after `parse_exact`; what is none is refused later."""
    return str(number) if type(number) is int else number


def as_integer(found: object) -> int:
    """Give what must be an integer, not negative and within `int64`; `true` is none.

    Raises:
        DecodeError: it is not.
    """
    if type(found) is not int or not 0 <= found <= INT64_MAX:
        raise DecodeError("not an integer")
    return found


def split_sign(number: object) -> tuple[object, bool]:
    """Give the digits of a bare number without its sign, and whether it had one; as `digits_of`."""
    digits = digits_of(number)
    return (digits[1:], True) if isinstance(digits, str) and digits.startswith("-") else (digits, False)


def as_object(found: object) -> Object:
    """Give what must be a JSON object.

    Raises:
        DecodeError: it is not.
    """
    if not isinstance(found, dict):
        raise DecodeError(f"not an object but {type(found).__name__}")
    return found


def take_object(table: Mapping[str, Any], key: str) -> Object:
    """Give the object at `key`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, dict):
        raise DecodeError(f"{key} is not an object")
    return found


def take_objects(table: Mapping[str, Any], key: str) -> list[Object]:
    """Give the list of objects at `key`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = take_list(table, key)
    for one in found:
        as_object(one)
    return found


def take_list(table: Mapping[str, Any], key: str) -> list[Any]:
    """Give the list at `key`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, list):
        raise DecodeError(f"{key} is not a list")
    return found


def take_text(table: Mapping[str, Any], key: str) -> str:
    """Give the text at `key`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, str):
        raise DecodeError(f"{key} is not a text")
    return found


def take_name(table: Mapping[str, Any], key: str) -> str:
    """Give the text at `key` that is a short plain name, as ids are.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, str) or not SYMBOL.fullmatch(found):
        raise DecodeError(f"{key} is not a name")
    return found


def take_integer(table: Mapping[str, Any], key: str) -> int:
    """Give the integer at `key`, not negative and within `int64`; `true` is none.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if type(found) is not int or not 0 <= found <= INT64_MAX:
        raise DecodeError(f"{key} is not an integer")
    return found


def take_following(table: Mapping[str, Any], key: str) -> int:
    """Give the integer after the one at `key`: where a change begins that names the one before it.

    Raises:
        DecodeError: it is missing or something else, or none follows it within `int64`.
    """
    found = take_integer(table, key)
    if found == INT64_MAX:
        raise DecodeError(f"{key} is the last integer there is")
    return found + 1


def take_digits(table: Mapping[str, Any], key: str) -> int:
    """Give the integer at `key` that is written as a text of digits, within `int64`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, str) or not (found.isascii() and found.isdigit() and len(found) <= len(str(INT64_MAX))):
        raise DecodeError(f"{key} is not a text of digits")
    number = int(found)
    if number > INT64_MAX:
        raise DecodeError(f"{key} does not fit")
    return number


def take_count(table: Mapping[str, Any], key: str) -> int:
    """Give the integer at `key`, which a venue writes bare or as a text of digits.

    Raises:
        DecodeError: it is missing or something else.
    """
    return take_digits(table, key) if isinstance(table.get(key), str) else take_integer(table, key)


def take_boolean(table: Mapping[str, Any], key: str) -> bool:
    """Give the truth at `key`.

    Raises:
        DecodeError: it is missing or something else.
    """
    found = table.get(key)
    if not isinstance(found, bool):
        raise DecodeError(f"{key} is not true or false")
    return found


def take_choice(table: Mapping[str, Any], key: str, choices: Mapping[str, Choice]) -> Choice:
    """Give what the text at `key` stands for.

    Raises:
        DecodeError: it is missing, something else, or none of the texts documented.
    """
    found = take_text(table, key)
    if found not in choices:
        raise DecodeError(f"{key} is none of {', '.join(choices)}")
    return choices[found]


def take_pairs(table: Mapping[str, Any], key: str, width: int = 2) -> list[tuple[object, object]]:
    """Give the list of `[price, size]` at `key`, less what may stand behind them; `parse_levels` judges the two.

    Raises:
        DecodeError: it is missing or something else, or a level has not `width` parts.
    """
    levels = take_list(table, key)
    for level in levels:
        if type(level) is not list or len(level) != width:
            raise DecodeError(f"{key} is not a list of levels of {width}")
    return levels if width == 2 else [(level[0], level[1]) for level in levels]


def name_of(found: object) -> str:
    """Give a type's name to count it by; what is no short plain name is `unnamed`."""
    return found if isinstance(found, str) and SYMBOL.fullmatch(found) else "unnamed"


def symbols_of(*found: object) -> tuple[str, ...]:
    """Give those that can be symbols."""
    return tuple(symbol for symbol in found if isinstance(symbol, str) and SYMBOL.fullmatch(symbol))


def words_of(found: object) -> str:
    """Give a venue's own words fit to be logged: one short line of what can be printed."""
    if not isinstance(found, str):
        return ""
    return "".join(character if character.isprintable() else "?" for character in found[:WORDS_MAX])


def is_path(url: str, path: str) -> bool:
    """Tell whether a URL names a path, below whatever a host has it at."""
    return split_url(url)[0].endswith(path)


def symbol_at(url: str, path: str, key: str) -> str | None:
    """Give the symbol that a URL of a path names in its query, on any host."""
    return next(iter(symbols_of(split_url(url)[1].get(key))), None) if is_path(url, path) else None


def says(body: bytes, key: str, value: object) -> bool:
    """Tell whether an answer is an object with this value at a key."""
    try:
        return parse_object(body).get(key) == value
    except DecodeError:
        return False


def split_url(url: str) -> tuple[str, dict[str, str]]:
    """Give the path and the query of a URL; nothing of what is none."""
    try:
        parts = urlsplit(url)
        return parts.path, dict(parse_qsl(parts.query))
    except ValueError:
        return "", {}
