"""Answers and conversations held against the published documents, strictly: what they do not name must not be there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator

from gateway.contract.document import DOCUMENTS

Schema = dict[str, Any]


def strict(schema: Any) -> Any:
    """Let no object have properties that are not named, so that a forgotten one is seen."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: strict(value) for name, value in schema.items()}
    return (
        {**inner, "additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else inner
    )


def documents() -> dict[str, Schema]:
    return {name: strict(deepcopy(make())) for name, make in DOCUMENTS.items()}


PUBLISHED = documents()


def check_answer(path: str, status: int, answer: Any) -> None:
    """Hold the answer of a path, as the document spells it, against its schema."""
    response = PUBLISHED["openapi"]["paths"][path]["get"]["responses"][str(status)]
    (media,) = response["content"].values()
    Draft202012Validator({**media["schema"], "components": PUBLISHED["openapi"]["components"]}).validate(answer)


def _told() -> Any:
    document = PUBLISHED["asyncapi"]
    names = [one["$ref"].rsplit("/", 1)[1] for one in document["operations"]["tell"]["messages"]]
    payloads = [document["components"]["messages"][name]["payload"] for name in names]
    return Draft7Validator({"oneOf": payloads, "components": {"schemas": document["components"]["schemas"]}})


TOLD = _told()
