from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.contract.document import DOCUMENTS, written
from gateway.rest.app import routes

GOLDEN = Path(__file__).parents[2] / "golden"
DIALECTS: dict[str, Any] = {"openapi": Draft202012Validator, "asyncapi": Draft7Validator}
NOT_ONE_OF_ITS_OWN = {"/openapi.json", "/asyncapi.json"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_changes_on_purpose_only(name: str) -> None:
    """After a change that is meant: python -m gateway.contract NAME > tests/golden/NAME-v1.json."""
    assert written(name) == (GOLDEN / f"{name}-v1.json").read_text(encoding="utf-8")


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [str(part["$ref"])] if "$ref" in part else [one for value in part.values() for one in references(value)]
    return [one for value in part for one in references(value)] if isinstance(part, list) else []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere(name: str) -> None:
    document = DOCUMENTS[name]()
    found = references(document)
    assert found
    for reference in found:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_one(name: str) -> None:
    for schema in DOCUMENTS[name]()["components"]["schemas"].values():
        DIALECTS[name].check_schema(schema)


def test_every_example_is_valid() -> None:
    document = DOCUMENTS["asyncapi"]()
    schemas = {"components": {"schemas": document["components"]["schemas"]}}
    for message in document["components"]["messages"].values():
        assert message["examples"], message["name"]
        for example in message["examples"]:
            Draft7Validator({**message["payload"], **schemas}).validate(example["payload"])
            assert example["payload"][next(iter(example["payload"]))] is not None


def test_every_path_that_is_served_is_described() -> None:
    served = {route.path for route in routes()} - NOT_ONE_OF_ITS_OWN
    assert served == set(DOCUMENTS["openapi"]()["paths"])


def test_a_document_can_be_printed_without_a_gateway() -> None:
    told = subprocess.run([sys.executable, "-m", "gateway.contract", "openapi"], capture_output=True, text=True)
    assert json.loads(told.stdout)["openapi"] == "3.1.0"
    wrong = subprocess.run([sys.executable, "-m", "gateway.contract", "swagger"], capture_output=True, text=True)
    assert (wrong.returncode, "usage" in wrong.stderr) == (1, True)
