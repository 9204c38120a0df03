"""An independent judge of messages: plain Python that walks the declared types, knowing nothing of who made them."""

from __future__ import annotations

import types
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from gateway.shapes import ServerMessage
from gateway.shapes.fields import Row

Shape: TypeAlias = Any


def _by_kind() -> dict[str, list[Shape]]:
    kinds: dict[str, list[Shape]] = {}
    for shape in get_args(ServerMessage):
        (kind,) = get_args(get_type_hints(shape)["t"])
        kinds.setdefault(kind, []).append(shape)
    return kinds


KINDS = _by_kind()


def judge(message: dict[str, Any]) -> None:
    """Assert that a message of the server has the declared fields, all of them and no other."""
    faults = [list(_faults(message, shape, "")) for shape in KINDS[message["t"]]]
    assert any(not found for found in faults), (message, faults)


def _faults(value: Any, shape: Shape, where: str) -> list[str]:
    origin: Any = get_origin(shape)
    if is_typeddict(shape):
        return _faults_of_object(value, shape, where)
    if origin is NotRequired:
        return _faults(value, get_args(shape)[0], where)
    if origin is Annotated:
        inner, *notes = get_args(shape)
        rows = [note for note in notes if isinstance(note, Row)]
        return _faults_of_row(value, rows[0], where) if rows else _faults(value, inner, where)
    if origin in (Union, types.UnionType):
        return [] if any(not _faults(value, one, where) for one in get_args(shape)) else [f"{where}: {value!r}"]
    if origin is Literal:
        return [] if value in get_args(shape) else [f"{where}: {value!r}"]
    if origin in (list, tuple):
        element = get_args(shape)[0]
        if not isinstance(value, list):
            return [f"{where}: no array"]
        return [fault for one in value for fault in _faults(one, element, f"{where}[]")]
    if origin is dict:
        element = get_args(shape)[1]
        return [fault for name, one in value.items() for fault in _faults(one, element, f"{where}.{name}")]
    return _faults_of_scalar(value, shape, where)


def _faults_of_object(value: Any, shape: Shape, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    hints = get_type_hints(shape, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    missing = hints.keys() - optional - value.keys()
    return [
        *(f"{where}.{name} is missing" for name in missing),
        *(f"{where}.{name} is not declared" for name in value.keys() - hints.keys()),
        *(
            fault
            for name, one in value.items()
            if name in hints
            for fault in _faults(one, hints[name], f"{where}.{name}")
        ),
    ]


def _faults_of_row(value: Any, row: Row, where: str) -> list[str]:
    if not isinstance(value, list) or not row.least <= len(value) <= len(row.elements):
        return [f"{where}: {value!r} has another length"]
    pairs = zip(value, row.elements, strict=False)
    return [fault for place, (one, shape) in enumerate(pairs) for fault in _faults(one, shape, f"{where}[{place}]")]


def _faults_of_scalar(value: Any, shape: Shape, where: str) -> list[str]:
    right = (
        isinstance(value, int | float) and not isinstance(value, bool)
        if shape is float
        else isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    )
    return [] if right else [f"{where}: {value!r} is no {shape}"]
