from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.contract.schema import Schemas
from gateway.shapes.fields import Row


class Inner(TypedDict):
    """What is inside."""

    x: int | None


class Outer(TypedDict):
    kind: Literal["a"]
    rows: list[Annotated[list[Any], Row((str, int, Inner), 2)]]
    more: NotRequired[dict[str, Inner]]
    word: NotRequired[Literal["b", "c"]]


GOOD = {"kind": "a", "rows": [["x", 1], ["y", 2, {"x": None}]], "more": {"k": {"x": 3}}, "word": "c"}
BAD = [
    {"rows": []},
    GOOD | {"kind": "b"},
    GOOD | {"rows": [["x"]]},
    GOOD | {"rows": [["x", "1"]]},
    GOOD | {"rows": [["x", 1, {"x": 1}, 4]]},
    GOOD | {"rows": [["x", 1, {}]]},
    GOOD | {"more": {"k": 1}},
    GOOD | {"word": "d"},
]


@pytest.mark.parametrize(("by_prefix", "dialect"), [(True, Draft202012Validator), (False, Draft7Validator)])
def test_a_schema_lets_in_what_the_type_does(by_prefix: bool, dialect: Any) -> None:
    schemas = Schemas(by_prefix)
    schema = schemas.of(Outer) | {"components": {"schemas": schemas.found}}
    validator = dialect({"allOf": [schema], "components": schema["components"]})
    validator.validate(GOOD)
    assert [value for value in BAD if validator.is_valid(value)] == []


def test_a_schema_says_what_the_type_does() -> None:
    schemas = Schemas(True)
    schemas.of(Outer)
    assert schemas.found["Inner"]["description"] == "What is inside."
    assert schemas.of(Annotated[str, "a word"]) == {"type": "string", "description": "a word"}


def test_a_type_that_can_not_be_written_is_an_error() -> None:
    with pytest.raises(TypeError, match="has no schema"):
        Schemas(True).of(set[int])
