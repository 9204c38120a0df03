"""JSON Schema of declared types: typed dicts, literals, lists, and rows whose elements have a type each.

OpenAPI 3.1 speaks the dialect of 2020-12, AsyncAPI 3.0 that of draft 07; they differ in how a row is written, and draft
07 ignores whatever stands beside a `$ref`.
"""

from __future__ import annotations

import types
from inspect import cleandoc
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

from gateway.shapes.fields import Row

Schema: TypeAlias = dict[str, Any]
_PLAIN: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
_REFERENCE = "#/components/schemas/"


class Schemas:
    """Collects the schemas of all typed dicts that are met, by name."""

    def __init__(self, rows_by_prefix: bool) -> None:
        """Begin without any; `rows_by_prefix` is the dialect of 2020-12, else it is that of draft 07."""
        self._rows_by_prefix = rows_by_prefix
        self.found: dict[str, Schema] = {}

    def of(self, shape: Any) -> Schema:
        """Give the schema of a type.

        Raises:
            TypeError: nothing here says how to write such a type.
        """
        origin, arguments = get_origin(shape), get_args(shape)
        if is_typeddict(shape):
            return self._reference(shape)
        if shape in _PLAIN:
            return {"type": _PLAIN[shape]}
        if shape is Any:
            return {}
        if origin is NotRequired:
            return self.of(arguments[0])
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in (Union, types.UnionType):
            return self._union([self.of(one) for one in arguments])
        if origin is Literal:
            return _literal(arguments)
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        raise TypeError(f"{shape!r} has no schema")

    def _annotated(self, inner: Any, notes: tuple[Any, ...]) -> Schema:
        rows = [note for note in notes if isinstance(note, Row)]
        schema = self._row(rows[0]) if rows else self.of(inner)
        texts = [note for note in notes if isinstance(note, str)]
        return {**schema, "description": "; ".join(texts)} if texts and "$ref" not in schema else schema

    def _row(self, row: Row) -> Schema:
        elements = [self.of(one) for one in row.elements]
        bounds = {"minItems": row.least, "maxItems": len(elements)}
        if self._rows_by_prefix:
            return {"type": "array", "prefixItems": elements, "items": False, **bounds}
        return {"type": "array", "items": elements, "additionalItems": False, **bounds}

    @staticmethod
    def _union(parts: list[Schema]) -> Schema:
        if all(set(part) <= {"type", "description"} for part in parts):
            texts = {part["description"]: None for part in parts if "description" in part}
            plain: Schema = {"type": [part["type"] for part in parts]}
            return {**plain, "description": "; ".join(texts)} if texts else plain
        return {"anyOf": parts}

    def _reference(self, shape: Any) -> Schema:
        name = shape.__name__
        if name not in self.found:
            self.found[name] = {}  # so that one that is met again meanwhile is not begun again
            self.found[name] = self._object(shape)
        return {"$ref": _REFERENCE + name}

    def _object(self, shape: Any) -> Schema:
        hints = get_type_hints(shape, include_extras=True)
        required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]
        text = cleandoc(shape.__doc__ or "")
        described = {} if not text or text.startswith("dict(") else {"description": text}
        properties = {name: self.of(hint) for name, hint in hints.items()}
        return {"type": "object", **described, "properties": properties, "required": required}


def _literal(values: tuple[Any, ...]) -> Schema:
    kind = {"type": _PLAIN[type(values[0])]}
    return {**kind, "const": values[0]} if len(values) == 1 else {**kind, "enum": list(values)}
