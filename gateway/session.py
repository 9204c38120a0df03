"""One client: its requests are answered here; what it follows is sent by its outbox."""

from __future__ import annotations

from gateway.admission import Allowance
from gateway.hub import Hub
from gateway.joined import Joined
from gateway.outbox import Outbox, Wire
from gateway.protocol import (
    FIRST_SUBSCRIBE_NS,
    Ask,
    Close,
    Refused,
    Subscribe,
    Unsubscribe,
    acknowledgement,
    hello,
    parse_request,
    pong,
    refusal,
)
from gateway.shapes import encode
from gateway.topic import Now


class Session:
    """A client from its hello to its end."""

    def __init__(self, hub: Hub, wire: Wire, now: Now) -> None:
        """Begin with nothing subscribed."""
        self.outbox = Outbox(wire)
        self._hub = hub
        self._allowance = Allowance(now.monotonic)
        self._opened_ns = now.monotonic
        self._subscribed = False

    def greet(self, node: str, now: Now) -> None:
        """Send the first message."""
        epoch = max(replica.epoch for replica in self._hub.replicas.values())
        self.outbox.tell(hello(node, epoch, now.micros))

    def receive(self, text: str | bytes, now: Now) -> None:
        """Answer one message of the client; a client that floods or sends what is no request is disconnected."""
        if self.outbox.closed:
            return
        if not self._allowance.take(now.monotonic):
            self.outbox.end(Close.TOO_MANY_REQUESTS)
            return
        request = parse_request(text)
        self.outbox.tell(self._answer(request, now))
        if isinstance(request, Refused) and request.fatal:
            self.outbox.end(request.fatal)

    def _answer(self, request: Subscribe | Unsubscribe | Ask | Refused, now: Now) -> bytes:
        match request:
            case Subscribe():
                self._subscribed = True
                return acknowledgement(request, self._hub.subscribe(self.outbox, request, now))
            case Unsubscribe():
                return acknowledgement(request, self._hub.unsubscribe(self.outbox, request.names))
            case Refused():
                return refusal(request)
            case Ask(op="ping"):
                return pong(request, now.micros)
            case Ask(op="list"):
                return encode({"t": "list", "id": request.id, "ch": list(self.outbox.subscriptions)})
        stats = {name: one.stats() for name, one in self.outbox.subscriptions.items()}
        return encode({"t": "stats", "id": request.id, "ch": stats})

    def flush(self, joined: Joined) -> None:
        """Send what is due in this tick."""
        if not self._subscribed and joined.at.monotonic - self._opened_ns > FIRST_SUBSCRIBE_NS:
            self.outbox.end(Close.NOTHING_SUBSCRIBED)
        self.outbox.flush(joined)

    def leave(self) -> None:
        """Give up everything it followed."""
        self.outbox.closed = True
        self._hub.unsubscribe(self.outbox, list(self.outbox.subscriptions))
