"""The OpenAPI 3.1 document: every path of REST with its parameters, answers and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import thalweg
from gateway.contract.schema import Schema, Schemas
from gateway.rest.asked import DEFAULT_DEPTH, DEFAULT_TRADES, MOST_TRADES
from gateway.rest.uptime import DEFAULT_HOURS, MOST_HOURS
from gateway.shapes import answers
from thalweg.publication import VIEW_DEPTH

JSON, PROBLEM = "application/json", "application/problem+json"
TITLES = {
    304: "It is what `If-None-Match` names.",
    400: "The query can't be meant.",
    401: "A token is needed.",
    404: "There is no such instrument, venue or channel.",
    429: "Too many event streams, or connections of this address.",
    503: "Redis can't be reached, or nothing has been published of the instrument yet.",
}
OPEN = ("/healthz", "/readyz")  # answer without a token


@dataclass(slots=True)
class Parameter:
    """One value of the path, the query or a header."""

    name: str
    what: str
    schema: Schema
    place: str = "query"
    required: bool = False

    def written(self) -> Schema:
        """Give it as the document has it."""
        required = {"required": True} if self.required else {}
        return {"name": self.name, "in": self.place, "description": self.what, **required, "schema": self.schema}


@dataclass(slots=True)
class Path:
    """One path: what it answers, which errors it may answer, and its parameters."""

    path: str
    what: str
    answer: Any  # a typed dict, or the media type of what is no JSON
    errors: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    also: int | None = None  # another status with the same kind of answer


def _integer(name: str, what: str, default: int, most: int) -> Parameter:
    return Parameter(name, what, {"type": "integer", "minimum": 1, "maximum": most, "default": default})


def _decimal(name: str, what: str, required: bool = False) -> Parameter:
    return Parameter(name, what, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, required=required)


def _text(name: str, what: str, place: str = "query", required: bool = False) -> Parameter:
    return Parameter(name, what, {"type": "string"}, place, required)


INSTRUMENT = _text("instrument", "such as BTC-USDT", "path", required=True)
VENUE = _text("venue", "such as kraken", "path", required=True)
DEPTH = _integer("depth", "levels or rows a side", DEFAULT_DEPTH, VIEW_DEPTH)
KNOWN = _text("If-None-Match", "the ETag of an earlier answer", "header")
SIDE = Parameter("side", "of the order", {"type": "string", "enum": ["buy", "sell"]}, required=True)
NET = Parameter("net", "whether fees that are set are taken off", {"type": "boolean", "default": True})
GROUP = _decimal("group", "the step of the rows, in the quote currency")
API = "/api/v1"
PATHS = (
    Path("/healthz", "Whether the gateway gets on; 503: a restart may help.", answers.Health, also=503),
    Path("/readyz", "Whether there is anything to serve.", answers.Readiness, also=503),
    Path("/metrics", "Metrics in Prometheus's text format.", "text/plain"),
    Path(f"{API}/version", "What runs.", answers.Version),
    Path(f"{API}/instruments", "All instruments.", answers.InstrumentList),
    Path(f"{API}/venues", "All venues.", answers.VenueList, (503,)),
    Path(f"{API}/uptime", "How long books were live of late, and how often they ceased to be.", answers.UptimeAnswer,
         (400, 503), (_integer("hours", "the last of them is the present one", DEFAULT_HOURS, MOST_HOURS),)),
    Path(f"{API}/books/{{instrument}}", "The live books together.", answers.LadderAnswer, (304, 400, 404, 503),
         (INSTRUMENT, DEPTH, GROUP, KNOWN)),
    Path(f"{API}/books/{{venue}}/{{instrument}}", "One venue's book.", answers.BookAnswer, (304, 400, 404, 503),
         (VENUE, INSTRUMENT, DEPTH, KNOWN)),
    Path(f"{API}/bbo", "All best prices.", answers.BestList),
    Path(f"{API}/trades/{{instrument}}", "The newest trades that are held, oldest first.", answers.TradesAnswer,
         (400, 404, 503), (INSTRUMENT, _integer("limit", "how many", DEFAULT_TRADES, MOST_TRADES))),
    Path(f"{API}/spreads/{{instrument}}", "Spreads of all live books together and of each.", answers.SpreadsAnswer,
         (404, 503), (INSTRUMENT,)),
    Path(f"{API}/arbitrage", "Edges between venues, within one instrument.", answers.ArbitrageAnswer, (400,),
         (_decimal("min_bps", "the least edge, in basis points; may be negative"), NET)),
    Path(f"{API}/impact/{{instrument}}", "What a market order comes to.", answers.ImpactAnswer, (400, 404, 503),
         (INSTRUMENT, SIDE, _decimal("qty", "in the base currency", required=True))),
    Path(f"{API}/latency", "The latency of every hop.", answers.LatencyAnswer, (),
         (_text("hop", "only this one"), _text("by", "only of this service"))),
    Path(f"{API}/stats", "The gateway's own counts.", answers.StatsAnswer),
    Path(f"{API}/stream", "Snapshots as server-sent events; each is a message of the WebSocket protocol.",
         "text/event-stream", (400, 404, 429),
         (_text("ch", "channels, joined by commas", required=True), DEPTH,
          _integer("rate_ms", "between two snapshots", 1000, 1000))),
)  # fmt: skip


def openapi() -> Schema:
    """Give the document."""
    schemas = Schemas(rows_by_prefix=True)
    paths = {one.path: {"get": _operation(schemas, one)} for one in PATHS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "thalweg",
            "version": thalweg.__version__,
            "description": "Order books and trades of several venues; what changes is told as in /asyncapi.json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.found.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "where one is set"}},
        },
    }


def _operation(schemas: Schemas, one: Path) -> Schema:
    is_text = isinstance(one.answer, str)
    media, schema = (one.answer, {"type": "string"}) if is_text else (JSON, schemas.of(one.answer))
    answer = {"description": one.what, "content": {media: {"schema": schema}}}
    responses: Schema = {"200": answer} | ({str(one.also): answer} if one.also else {})
    for status in (*one.errors, *(() if one.path in OPEN else (401,))):
        problem = {PROBLEM: {"schema": schemas.of(answers.Problem)}}
        responses[str(status)] = {"description": TITLES[status]} | ({"content": problem} if status >= 400 else {})
    name = "_".join(part.strip("{}") for part in one.path.removeprefix(API).split("/") if part)
    parameters = [parameter.written() for parameter in one.parameters]
    return {
        "operationId": name,
        "summary": one.what,
        **({"parameters": parameters} if parameters else {}),
        **({"security": []} if one.path in OPEN else {}),
        "responses": dict(sorted(responses.items())),
    }
