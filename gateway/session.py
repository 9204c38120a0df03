"""One client: its requests are answered here; what it follows is sent by its outbox."""

from __future__ import annotations

from gateway.admission import Allowance, Verdict
from gateway.answers import acknowledgement, hello, pong, refusal
from gateway.bearer import OPEN, Guard
from gateway.hub import Hub
from gateway.joined import Joined
from gateway.outbox import Outbox, Wire
from gateway.protocol import FIRST_SUBSCRIBE_NS, Close, Code
from gateway.requests import Adjust, Ask, Authenticate, Refused, Request, Subscribe, Unsubscribe, parse_request
from gateway.shapes import encode
from gateway.shapes.control import Granted
from gateway.topic import Now


class Session:
    """A client from its hello to its end."""

    def __init__(self, hub: Hub, wire: Wire, now: Now, guard: Guard = OPEN, shown: str | None = None) -> None:
        """Begin with nothing subscribed; `shown` is the token that came with the handshake, if any did."""
        self.outbox = Outbox(wire, hub)
        self._hub, self._guard = hub, guard
        self._node = ""
        self._known, self._shown = guard.admits(shown), shown
        self._allowance = Allowance(now.monotonic)
        self._opened_ns = now.monotonic
        self._subscribed = False

    def greet(self, node: str, now: Now, replay: str | None = None) -> None:
        """Send the first message; a wrong token has nothing more to wait for."""
        self._node = node
        epoch = max(replica.epoch for replica in self._hub.replicas.values())
        self.outbox.tell(hello(node, epoch, not self._known, now.micros, replay))
        if self._shown is not None and not self._known:
            self._refuse(Refused(None, Code.UNAUTHORISED, "wrong token", Close.UNAUTHORISED))

    def receive(self, text: str | bytes, now: Now) -> None:
        """Answer one message of the client; a client that floods or sends what is no request is disconnected."""
        if self.outbox.closed:
            return
        verdict = self._allowance.take(now.monotonic)
        if verdict is Verdict.FLOOD:
            self.outbox.end(Close.TOO_MANY_REQUESTS)
            return
        request = parse_request(text)
        if verdict is Verdict.LATER and not (isinstance(request, Refused) and request.fatal):
            request = Refused(request.id, Code.RATE_LIMITED, "")
        if isinstance(request, Refused):
            self._refuse(request)
        else:
            self._serve(request, now)

    def fail(self) -> None:
        """Say that answering a request failed for a reason of ours."""
        self._refuse(Refused(None, Code.INTERNAL, ""))

    def _refuse(self, refused: Refused) -> None:
        self.outbox.tell(refusal(refused))
        if refused.fatal:
            self.outbox.end(refused.fatal)

    def _serve(self, request: Request, now: Now) -> None:
        if isinstance(request, Authenticate) and self._guard.admits(request.token):
            self._known = True
        elif isinstance(request, Authenticate) or not (self._known or is_ping(request)):
            self._refuse(Refused(request.id, Code.UNAUTHORISED, "", Close.UNAUTHORISED))
            return
        self.outbox.tell(self._answer(request, now))

    def _answer(self, request: Request, now: Now) -> bytes:
        match request:
            case Subscribe():
                self._subscribed = True
                errors = self._hub.subscribe(self.outbox, request, self._node, now)
                granted: Granted = {"depth": request.depth, "rate_ms": request.rate_ms}
                return acknowledgement(request.id, request.names, errors, granted)
            case Unsubscribe():
                errors = self._hub.unsubscribe(self.outbox, request.names)
                return acknowledgement(request.id, request.names, errors)
            case Adjust():
                return self._adjust(request)
            case Ask(op="ping"):
                return pong(request, now.micros)
            case Ask(op="list"):
                return encode({"t": "list", "id": request.id, "ch": list(self.outbox.subscriptions)})
            case Ask():
                stats = {name: one.stats() for name, one in self.outbox.subscriptions.items()}
                return encode({"t": "stats", "id": request.id, "ch": stats})
            case Refused():
                return refusal(request)
        return acknowledgement(request.id)

    def _adjust(self, request: Adjust) -> bytes:
        granted: Granted = {}
        if request.depth is not None:
            granted["depth"] = request.depth
        if request.rate_ms is not None:
            granted["rate_ms"] = request.rate_ms
        strange = [name for name in request.names if name not in self.outbox.subscriptions]
        for name in request.names:
            if name not in strange:
                self.outbox.adjust(name, request.depth, request.rate_ms)
        return acknowledgement(request.id, request.names, dict.fromkeys(strange, Code.NOT_SUBSCRIBED), granted)

    def flush(self, joined: Joined) -> None:
        """Send what is due in this tick."""
        if not self._subscribed and joined.at.monotonic - self._opened_ns > FIRST_SUBSCRIBE_NS:
            self.outbox.end(Close.NOTHING_SUBSCRIBED if self._known else Close.UNAUTHORISED)
        self.outbox.flush(joined)

    def leave(self) -> None:
        """Give up everything it followed."""
        self.outbox.closed = True
        self._hub.unsubscribe(self.outbox, list(self.outbox.subscriptions))


def is_ping(request: Request) -> bool:
    """Whether a request is served before the token is known."""
    return isinstance(request, Ask) and request.op == "ping"
