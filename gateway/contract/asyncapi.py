"""The AsyncAPI 3.0 document: every message of the WebSocket, in both directions, and what the codes mean."""

from __future__ import annotations

from typing import Any, get_args

import thalweg
from gateway.contract.examples import ASKED, TOLD
from gateway.contract.schema import Schema, Schemas
from gateway.protocol import RETRIED, SUBPROTOCOL, Close, Code
from gateway.shapes import ClientMessage, ServerMessage

CHANNEL = "#/channels/v1"


def asyncapi() -> Schema:
    """Give the document."""
    schemas = Schemas(rows_by_prefix=False)
    told = [_message(schemas, shape, TOLD) for shape in get_args(ServerMessage)]
    asked = [_message(schemas, shape, ASKED) for shape in get_args(ClientMessage)]
    messages = {message["name"]: message for message in told + asked}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "thalweg",
            "version": thalweg.__version__,
            "description": f"Order books and trades of several venues. {_codes()}",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {"host": "127.0.0.1:8080", "protocol": "ws", "description": "where it listens by default"}
        },
        "channels": {
            "v1": {
                "address": "/ws/v1",
                "description": f"Subprotocol {SUBPROTOCOL}. A frame holds one message or several, one a line.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "tell": _operation("send", "What the gateway sends.", told),
            "ask": _operation("receive", "What a client may send.", asked),
        },
        "components": {"messages": messages, "schemas": dict(sorted(schemas.found.items()))},
    }


def _message(schemas: Schemas, shape: Any, examples: dict[str, list[Any]]) -> Schema:
    name = shape.__name__
    return {
        "name": name,
        "summary": (shape.__doc__ or "").split("\n", 1)[0],
        "payload": schemas.of(shape),
        "examples": [{"payload": example} for example in examples[name]],
    }


def _operation(action: str, summary: str, messages: list[Schema]) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": CHANNEL},
        "summary": summary,
        "messages": [{"$ref": f"{CHANNEL}/messages/{message['name']}"} for message in messages],
    }


def _codes() -> str:
    errors = ", ".join(f"{int(code)} {code.words}{' (retry)' if code in RETRIED else ''}" for code in Code)
    closes = ", ".join(f"{int(close)} {close.reason}" for close in Close)
    return f"Errors: {errors}. Close codes, up to 4199 reconnect with backoff, above do not: {closes}."
