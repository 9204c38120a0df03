"""The HTTP side: REST, the page's files, and the door to the WebSocket."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway import rest
from gateway.admission import Doorkeeper, is_everywhere, is_loopback, origin_allowed
from gateway.bearer import Guard, from_header, from_subprotocols
from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.outbox import Wire
from gateway.protocol import SUBPROTOCOL
from gateway.replica import Replica
from gateway.rest import Capabilities
from gateway.session import Session
from gateway.source import now
from gateway.transport import QueuedWire, direct_wire
from thalweg.errors import RedisTrouble
from thalweg.publication import VIEW_DEPTH
from thalweg.settings import Settings

LOG = logging.getLogger(__name__)
STATIC = Path(__file__).with_name("static")
DEFAULT_DEPTH = 25  # levels a side
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def _no_capabilities() -> Capabilities:
    return {}


class Gateway:
    """What all connections share: the hub, the sessions, and who may come in."""

    def __init__(self, settings: Settings) -> None:
        """Begin without a client."""
        self.settings = settings
        self.hub = Hub(settings.instruments)
        for part in (REDIS, AGGREGATOR):
            self.hub.set_part(part, False, "not heard of yet", now())
        self.sessions: dict[Session, None] = {}
        self.door = Doorkeeper(settings.connections, settings.connections_per_ip)
        self.node = f"{socket.gethostname()}-{secrets.token_hex(4)}"  # another one after a restart
        self.guard = Guard(settings.token)
        self.capabilities: Callable[[], Awaitable[Capabilities]] = _no_capabilities

    async def attend(self, websocket: WebSocket, wire: Wire) -> None:
        """Serve an accepted client until it leaves."""
        session = Session(self.hub, wire, now(), self.guard, _shown(websocket))
        session.greet(self.node, now())
        self.sessions[session] = None
        try:
            while (message := await websocket.receive())["type"] == "websocket.receive":
                text = message.get("text")
                self._receive(session, message["bytes"] if text is None else text)
        finally:
            del self.sessions[session]
            session.leave()

    @staticmethod
    def _receive(session: Session, text: str | bytes) -> None:
        try:
            session.receive(text, now())
        except Exception:
            LOG.exception("a request could not be answered")
            session.fail()


def make_app(gateway: Gateway, lifespan: Lifespan[Starlette] | None = None) -> ASGIApp:
    """Give the ASGI application of a gateway."""
    app = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/healthz", _health),
            Route("/readyz", _readiness),
            Route("/api/v1/version", _version),
            Route("/api/v1/instruments", _instruments),
            Route("/api/v1/venues", _venues),
            Route("/api/v1/books/{instrument}", _ladder),
            Route("/api/v1/books/{venue}/{instrument}", _book),
            Route("/api/v1/bbo", _best),
            Route("/api/v1/latency", _latency),
            WebSocketRoute("/ws/v1", _stream),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_hosts(gateway.settings), www_redirect=False)],
        exception_handlers={HTTPException: _refused, RedisTrouble: _unavailable, Exception: _failed},
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    return _guard(app)


def _hosts(settings: Settings) -> list[str]:
    """Give the Host names to answer to: those that are set, and the address listened on where it is one."""
    return [*settings.hosts, *([] if is_everywhere(settings.host) else [settings.host])]


def _guard(app: ASGIApp) -> ASGIApp:
    """Put the security headers on every response, also on errors and refused WebSockets."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = list(message.get("headers", ()))
                known = {name.lower() for name, _ in headers}
                headers += [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                if b"cache-control" not in known:
                    headers.append((b"cache-control", b"no-cache" if b"etag" in known else b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, send_guarded)

    return guarded


def _json(answer: Any, status: int = 200, media: str = "application/json") -> Response:
    return Response(orjson.dumps(answer), status, media_type=media)


def _problem(status: int, title: str, detail: str = "") -> Response:
    """Give an error in the form of RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status} | ({"detail": detail} if detail else {})
    return _json(body, status, "application/problem+json")


def _refused(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return _problem(status, detail or "refused")


def _unavailable(request: Request, error: Exception) -> Response:
    return _problem(503, "Redis can't be reached")


def _failed(request: Request, error: Exception) -> Response:
    return _problem(500, "internal error")


def _gateway(request: Request | WebSocket) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _health(request: Request) -> Response:
    return _json({"status": "OK"})


async def _readiness(request: Request) -> Response:
    status, answer = rest.readiness(_gateway(request).hub)
    return _json(answer, status)


async def _version(request: Request) -> Response:
    return _json(rest.version())


async def _instruments(request: Request) -> Response:
    return _json(rest.instruments(_gateway(request).hub.instruments))


async def _venues(request: Request) -> Response:
    gateway = _gateway(request)
    return _json(rest.venues(gateway.hub, await gateway.capabilities(), gateway.settings.fee_bps))


async def _ladder(request: Request) -> Response:
    return _json(rest.ladder(_replica(request), _depth(request), now()))


async def _book(request: Request) -> Response:
    replica, venue = _replica(request), request.path_params["venue"]
    if venue not in replica.scale.venues:
        raise HTTPException(404, "this venue does not list the instrument")
    return _json(rest.book(replica, venue, _depth(request), now()))


async def _best(request: Request) -> Response:
    return _json(rest.best(_gateway(request).hub, now()))


async def _latency(request: Request) -> Response:
    return _json({"hops": _gateway(request).hub.metrics.hops})


def _replica(request: Request) -> Replica:
    replica = _gateway(request).hub.replicas.get(request.path_params["instrument"])
    if replica is None:
        raise HTTPException(404, "unknown instrument")
    if replica.joined_at is None:
        raise HTTPException(503, "nothing has been published of the instrument yet")
    return replica


def _depth(request: Request) -> int:
    text = request.query_params.get("depth", str(DEFAULT_DEPTH))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= VIEW_DEPTH):
        raise HTTPException(400, f"depth must be 1 to {VIEW_DEPTH}")
    return int(text)


async def _stream(websocket: WebSocket) -> None:
    """Let a WebSocket client in, or refuse it before the upgrade."""
    gateway, headers = _gateway(websocket), websocket.headers
    settings, token = gateway.settings, from_header(headers.get("authorization"))
    programs = is_loopback(settings.host) or gateway.guard.needed
    if not origin_allowed(headers.get("origin"), headers.get("host"), settings.origins, programs):
        await websocket.send_denial_response(_problem(403, "this origin may not connect"))
        return
    offered = websocket.scope["subprotocols"]
    if offered and SUBPROTOCOL not in offered:
        await websocket.send_denial_response(_problem(400, f"the only subprotocol here is {SUBPROTOCOL}"))
        return
    if token is not None and not gateway.guard.admits(token):
        await websocket.send_denial_response(_problem(401, "wrong token"))
        return
    await websocket.accept(SUBPROTOCOL if offered else None)
    address = websocket.client.host if websocket.client else ""
    refused = gateway.door.enter(address)
    if refused:
        await websocket.close(refused, refused.reason)
        return
    try:
        await _attend(gateway, websocket)
    finally:
        gateway.door.leave(address)


def _shown(websocket: WebSocket) -> str | None:
    """Give the token that came with the handshake."""
    token = from_header(websocket.headers.get("authorization"))
    return from_subprotocols(websocket.scope["subprotocols"]) if token is None else token


async def _attend(gateway: Gateway, websocket: WebSocket) -> None:
    wire = direct_wire(websocket)
    if wire is not None:
        await gateway.attend(websocket, wire)
        return
    async with asyncio.TaskGroup() as group:
        queued = QueuedWire(websocket)
        writing = group.create_task(queued.run())
        await gateway.attend(websocket, queued)
        writing.cancel()
