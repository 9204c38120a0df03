"""The paths of REST, health and metrics: each asks a pure module and says how the answer may be kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.bearer import from_header
from gateway.channels import ANY_VENUE, RATES_MS, TICK_MS, parse_channel, quantise
from gateway.contract.document import DOCUMENTS, written
from gateway.replica import Replica
from gateway.rest import asked, books, edges, impact, system, uptime
from gateway.rest.asked import BadQuery
from gateway.rest.measures import Facts, measures
from gateway.rest.transport import EventStream
from gateway.shapes.answers import LatencyAnswer
from gateway.source import now
from gateway.transport import FanoutProtocol
from thalweg.errors import RedisTrouble
from thalweg.probe.measure import Distribution, Measure
from thalweg.probe.sink import MEDIA, Exposition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.app import Gateway

EVENT_CHANNELS = 16  # of one event stream
EVENT_STREAMS = 100  # at once; each makes its own snapshots, which WebSocket clients share
DEFAULT_PERIOD_MS = RATES_MS[-1]
NO_STORE = {"Cache-Control": "no-store"}
Endpoint = Callable[[Request], Awaitable[Any]]


def routes() -> list[Route]:
    """Give all paths; the token, where one is set, is asked for but by health and the published contract."""
    guarded: dict[str, Endpoint] = {
        "/metrics": _metrics,
        "/api/v1/version": _version,
        "/api/v1/instruments": _instruments,
        "/api/v1/venues": _venues,
        "/api/v1/uptime": _uptime,
        "/api/v1/books/{instrument}": _ladder,
        "/api/v1/books/{venue}/{instrument}": _book,
        "/api/v1/bbo": _best,
        "/api/v1/trades/{instrument}": _trades,
        "/api/v1/spreads/{instrument}": _spreads,
        "/api/v1/arbitrage": _arbitrage,
        "/api/v1/impact/{instrument}": _impact,
        "/api/v1/latency": _latency,
        "/api/v1/stats": _stats,
        "/api/v1/stream": _events,
    }
    paths = [Route(path, _guard(endpoint)) for path, endpoint in guarded.items()]
    documents = [Route(f"/{name}.json", _document) for name in DOCUMENTS]
    return [Route("/healthz", _health), Route("/readyz", _readiness), *documents, *paths]


def _guard(endpoint: Endpoint) -> Endpoint:
    """Ask for the token first, where one is set (RFC 6750, section 3)."""

    async def guarded(request: Request) -> Any:
        if not _gateway(request).guard.admits(from_header(request.headers.get("authorization"))):
            raise HTTPException(401, "a token is needed", {"WWW-Authenticate": 'Bearer realm="thalweg"'})
        return await endpoint(request)

    return guarded


def json_response(answer: Any, status: int = 200, media: str = "application/json") -> Response:
    """Give an answer as JSON."""
    return Response(orjson.dumps(answer), status, media_type=media)


def problem(status: int, title: str, detail: str = "") -> Response:
    """Give an error in the form of RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status} | ({"detail": detail} if detail else {})
    return json_response(body, status, "application/problem+json")


def _refused(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    response = problem(status, detail or "refused")
    response.headers.update((error.headers if isinstance(error, HTTPException) else None) or {})
    return response


def _misasked(request: Request, error: Exception) -> Response:
    return problem(400, str(error))


def _unavailable(request: Request, error: Exception) -> Response:
    return problem(503, "Redis can't be reached")


def _failed(request: Request, error: Exception) -> Response:
    return problem(500, "internal error")


ERRORS = {HTTPException: _refused, BadQuery: _misasked, RedisTrouble: _unavailable, Exception: _failed}


def _gateway(request: Request) -> Gateway:
    app: Starlette = request.app
    gateway: Gateway = app.state.gateway
    return gateway


def _replica(request: Request) -> Replica:
    replica = _gateway(request).hub.replicas.get(request.path_params["instrument"])
    if replica is None:
        raise HTTPException(404, "unknown instrument")
    if replica.joined_at is None:
        raise HTTPException(503, "nothing has been published of the instrument yet")
    return replica


async def _document(request: Request) -> Response:
    name = request.url.path.removeprefix("/").removesuffix(".json")
    return Response(written(name), media_type="application/json")


async def _health(request: Request) -> Response:
    gateway = _gateway(request)
    status, answer = system.health(gateway.hub, gateway.progress_ns, now())
    return json_response(answer, status)


async def _readiness(request: Request) -> Response:
    status, answer = system.readiness(_gateway(request).hub)
    return json_response(answer, status)


async def _version(request: Request) -> Response:
    return json_response(system.version(_gateway(request).settings.replay))


async def _instruments(request: Request) -> Response:
    return json_response(system.instruments(_gateway(request).hub.instruments))


async def _venues(request: Request) -> Response:
    gateway = _gateway(request)
    return json_response(system.venues(gateway.hub, await gateway.capabilities(), gateway.settings.fee_bps))


async def _uptime(request: Request) -> Response:
    at = now()
    hours = asked.whole(request.query_params, "hours", uptime.DEFAULT_HOURS, uptime.MOST_HOURS)
    kept = await _gateway(request).uptimes(uptime.hours_before(at.wall, max(hours, 1)))
    return json_response(uptime.uptime(kept, max(hours, 1), at))


async def _ladder(request: Request) -> Response:
    replica, depth = _replica(request), asked.depth(request.query_params)
    group = asked.amount(request.query_params, "group", replica.scale.price_decimals)
    tag = books.tag(replica, depth, group)
    return _tagged(request, tag, lambda: books.ladder(replica, depth, group, now()))


async def _book(request: Request) -> Response:
    replica, venue = _replica(request), request.path_params["venue"]
    if venue not in replica.scale.venues:
        raise HTTPException(404, "this venue does not list the instrument")
    depth = asked.depth(request.query_params)
    return _tagged(request, books.tag(replica, venue, depth), lambda: books.book(replica, venue, depth, now()))


def _tagged(request: Request, tag: str, answer: Callable[[], Any]) -> Response:
    """Give an answer with its entity tag, 304 to one who has it; no cache may keep it, since its age runs on."""
    headers = {"ETag": tag, **NO_STORE}
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    response = json_response(answer())
    response.headers.update(headers)
    return response


async def _best(request: Request) -> Response:
    return json_response(books.all_best(_gateway(request).hub, now()))


async def _trades(request: Request) -> Response:
    limit = asked.whole(request.query_params, "limit", asked.DEFAULT_TRADES, asked.MOST_TRADES)
    return json_response(books.trades(_replica(request), limit, now()))


async def _spreads(request: Request) -> Response:
    return json_response(books.spreads(_replica(request), now()))


async def _arbitrage(request: Request) -> Response:
    gateway, query = _gateway(request), request.query_params
    least, net = asked.least_bps(query), asked.truth(query, "net", True)
    return json_response(edges.arbitrage(gateway.hub, gateway.settings.fee_bps, least, net, now()))


async def _impact(request: Request) -> Response:
    replica, query = _replica(request), request.query_params
    side, qty = asked.side(query), asked.amount(query, "qty", replica.scale.size_decimals)
    if qty is None:
        raise BadQuery("qty must be said, in the base currency")
    return json_response(impact.impact(replica, side, qty, now()))


async def _latency(request: Request) -> Response:
    hop, by = request.query_params.get("hop"), request.query_params.get("by")
    lines = _gateway(request).hub.metrics.hops
    answer: LatencyAnswer = {"hops": [one for one in lines if hop in (None, one["hop"]) and by in (None, one["by"])]}
    return json_response(answer)


async def _stats(request: Request) -> Response:
    one, at = _gateway(request), now()
    clients = len(one.sessions), one.event_streams
    return json_response(system.stats(one.hub, one.node, clients, one.started_ns, at))


async def _metrics(request: Request) -> Response:
    gateway = _gateway(request)
    gateway.exposition = gateway.exposition or Exposition(lambda: measured(gateway))
    return Response(gateway.exposition.text(), media_type=MEDIA)


def measured(gateway: Gateway) -> Iterable[Measure | Distribution]:
    """Give all metrics of a gateway."""
    at = now()
    facts = Facts(
        node=gateway.node,
        uptime_s=(at.monotonic - gateway.started_ns) / 1e9,
        buffered=[session.outbox.wire.buffered() for session in gateway.sessions],
        event_streams=gateway.event_streams,
        sent=FanoutProtocol.sent,
        records=gateway.records(),
    )
    return measures(gateway.hub, gateway.rings, facts, at)


async def _events(request: Request) -> EventStream:
    """Begin an event stream of the channels asked for; depth and rate are granted as on a WebSocket."""
    gateway, query = _gateway(request), request.query_params
    names = list(dict.fromkeys(name for text in query.getlist("ch") for name in text.split(",")))
    channels = [parse_channel(name, gateway.hub.instruments) for name in names]
    if not 1 <= len(channels) <= EVENT_CHANNELS:
        raise BadQuery(
            f"ch must name 1 to {EVENT_CHANNELS} channels, such as cbook:BTC-USDT or bbo:{ANY_VENUE}:BTC-USDT"
        )
    known = [channel for channel in channels if channel is not None]
    if len(known) < len(channels):
        raise HTTPException(404, "unknown channel")
    depth = asked.depth(query)
    rate_ms = quantise(asked.whole(query, "rate_ms", DEFAULT_PERIOD_MS, DEFAULT_PERIOD_MS), RATES_MS)
    address = request.client.host if request.client else ""
    if gateway.event_streams >= EVENT_STREAMS or gateway.door.enter(address):
        raise HTTPException(429, "too many connections", {"Retry-After": "10"})
    gateway.event_streams += 1

    def leave() -> None:
        gateway.event_streams -= 1
        gateway.door.leave(address)

    topics = [gateway.hub.topic(channel, depth, now()) for channel in known]
    return EventStream(topics, max(rate_ms, TICK_MS) / 1000, leave)
