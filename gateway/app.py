"""The HTTP side: REST, the page's files, and the door to the WebSocket."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.admission import Doorkeeper, is_everywhere, is_loopback, origin_allowed
from gateway.bearer import Guard, from_header, from_subprotocols
from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.outbox import Wire
from gateway.protocol import SUBPROTOCOL
from gateway.rest.app import ERRORS, problem, routes
from gateway.rest.system import Capabilities
from gateway.rest.uptime import Hours
from gateway.session import Session
from gateway.source import now
from gateway.transport import QueuedWire, direct_wire
from thalweg.latency import Rings
from thalweg.probe.sink import Exposition
from thalweg.settings import Settings

LOG = logging.getLogger(__name__)
STATIC = Path(__file__).with_name("static")
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


async def _no_uptimes(hours: range) -> Hours:
    return {}


class Gateway:
    """What all connections share: the hub, the sessions, and who may come in."""

    def __init__(self, settings: Settings) -> None:
        """Begin without a client."""
        self.settings = settings
        self.hub = Hub(settings.instruments)
        for part in (REDIS, AGGREGATOR):
            self.hub.set_part(part, False, "not heard of yet", now())
        self.rings = Rings("pubsub", "hold", "fanout", "total", "loop")
        self.sessions: dict[Session, None] = {}
        self.door = Doorkeeper(settings.connections, settings.connections_per_ip)
        self.node = f"{socket.gethostname()}-{secrets.token_hex(4)}"  # another one after a restart
        self.guard = Guard(settings.token)
        self.event_streams = 0
        self.started_ns = self.progress_ns = now().monotonic  # the latter is that of the last tick
        self.records: Callable[[], Mapping[str, int]] = dict
        self.exposition: Exposition | None = None
        self.uptimes: Callable[[range], Awaitable[Hours]] = _no_uptimes
        self.capabilities: Callable[[], Awaitable[Capabilities]] = _no_capabilities


class Visit:
    """A client from its acceptance to its end."""

    __slots__ = ("_address", "_gateway", "_session")

    def __init__(self, gateway: Gateway, wire: Wire, address: str, shown: str | None) -> None:
        """Greet it; `shown` is the token that came with the handshake, if any did."""
        self._gateway, self._address = gateway, address
        self._session = Session(gateway.hub, wire, now(), gateway.guard, shown)
        self._session.greet(gateway.node, now(), gateway.settings.replay)
        gateway.sessions[self._session] = None

    def receive(self, text: str | bytes) -> None:
        """Answer a message; what goes wrong on our side is told, and costs nobody the connection."""
        try:
            self._session.receive(text, now())
        except Exception:
            LOG.exception("a request could not be answered")
            self._session.fail()

    def leave(self) -> None:
        """Give up its place."""
        del self._gateway.sessions[self._session]
        self._session.leave()
        self._gateway.door.leave(self._address)


def make_app(gateway: Gateway, lifespan: Lifespan[Starlette] | None = None) -> ASGIApp:
    """Give the ASGI application of a gateway."""
    app = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC)),
            *routes(),
            WebSocketRoute("/ws/v1", _stream),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_hosts(gateway.settings), www_redirect=False)],
        exception_handlers=ERRORS,
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


def _gateway(request: Request | WebSocket) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _page(request: Request) -> Response:
    replay = _gateway(request).settings.replay
    if replay is None:
        return FileResponse(STATIC / "index.html")
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(replayed(page, replay))


def replayed(page: str, what: str) -> str:
    """Have the page say, above all else and in its title, that it shows a replay: nobody may take it for live."""
    told = f'<p id="replay" class="banner" role="note">REPLAY, not live: {escape(what)}</p>\n<header'
    return page.replace("<title>", "<title>REPLAY ", 1).replace("<header", told, 1)


async def _stream(websocket: WebSocket) -> None:
    """Let a WebSocket client in, or refuse it before the upgrade."""
    gateway, headers = _gateway(websocket), websocket.headers
    settings, token = gateway.settings, from_header(headers.get("authorization"))
    programs = is_loopback(settings.host) or gateway.guard.needed or settings.programs
    if not origin_allowed(headers.get("origin"), headers.get("host"), settings.origins, programs):
        await websocket.send_denial_response(problem(403, "this origin may not connect"))
        return
    offered = websocket.scope["subprotocols"]
    if offered and SUBPROTOCOL not in offered:
        await websocket.send_denial_response(problem(400, f"the only subprotocol here is {SUBPROTOCOL}"))
        return
    if token is not None and not gateway.guard.admits(token):
        await websocket.send_denial_response(problem(401, "wrong token"))
        return
    await websocket.accept(SUBPROTOCOL if offered else None)
    address = websocket.client.host if websocket.client else ""
    refused = gateway.door.enter(address)
    if refused:
        await websocket.close(refused, refused.reason)
        return
    wire = direct_wire(websocket)
    if wire is not None:
        wire.hand_over(Visit(gateway, wire, address, _shown(websocket)))
    else:
        await _attend(gateway, websocket, address)


def _shown(websocket: WebSocket) -> str | None:
    """Give the token that came with the handshake."""
    token = from_header(websocket.headers.get("authorization"))
    return from_subprotocols(websocket.scope["subprotocols"]) if token is None else token


async def _attend(gateway: Gateway, websocket: WebSocket, address: str) -> None:
    """Serve a client of a server that lends no wire, until it leaves."""
    async with asyncio.TaskGroup() as group:
        queued = QueuedWire(websocket)
        writing = group.create_task(queued.run())
        visit = Visit(gateway, queued, address, _shown(websocket))
        try:
            while (message := await websocket.receive())["type"] == "websocket.receive":
                text = message.get("text")
                visit.receive(message["bytes"] if text is None else text)
        finally:
            visit.leave()
            writing.cancel()
