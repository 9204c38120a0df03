"""One example of every message, as a client would see or send it; the tests hold them against the schemas."""

from __future__ import annotations

from typing import Any

from gateway.protocol import LIMITS

_BOOK, _TRADES, _BBO = "book:kraken:BTC-USD", "trades:*:BTC-USD", "bbo:*:BTC-USD"
_TS = 1_764_115_200_000_000
_STAMPS = {"x": _TS, "r": _TS + 900, "w": _TS + 1000, "a": _TS + 1300, "p": _TS + 1400, "g": _TS + 2000}
_QUOTE = {
    "bid": "97000.1", "bid_size": "0.5", "ask": "97000.4", "ask_size": "1.5", "spread": "0.3", "mid": "97000.25",
    "micro": "97000.17500000", "imbalance": "-0.5000", "crossed": False,
}  # fmt: skip
_BEST = {
    "bid": "97000.1", "bid_size": "0.5", "ask": "97000.4", "ask_size": "1.5", "st": "live", "fl": [], "age_ms": 12,
}  # fmt: skip
_HOP = {
    "hop": "total", "what": "All of it but the venue's own way to us.", "from": "socket read in ingest",
    "to": "gateway's write returned", "clock": "wall, same host", "by": "gateway", "count": 4096, "window_s": 38.0,
    "p50": 412.0, "p95": 900.5, "p99": 1500.0, "max": 2100.25, "mean": 450.5,
}  # fmt: skip
_PLACE = {"ch": _BOOK, "s": 1843, "st": "live", "fl": [], "ts": _STAMPS}

TOLD: dict[str, list[Any]] = {
    "Hello": [
        {"t": "hello", "v": 1, "node": "host-1f2e3d4c", "epoch": 7, "hb_ms": 1000, "limits": {**LIMITS,
         "depths": list(LIMITS["depths"]), "rates_ms": list(LIMITS["rates_ms"])}, "srv": _TS, "auth": "none"}
    ],
    "Ack": [
        {"t": "ack", "id": 1, "ok": [_BOOK], "err": [{"ch": "book:x:Y", "code": 102, "msg": "unknown channel"}],
         "granted": {"depth": 25, "rate_ms": 100}}
    ],
    "Error": [{"t": "err", "id": 2, "code": 111, "msg": "rate limited", "retry": True}],
    "Heartbeat": [{"t": "hb", "n": 17, "srv": _TS}],
    "Pong": [{"t": "pong", "id": 3, "c": _TS - 200, "srv": _TS}],
    "ListAnswer": [{"t": "list", "id": 4, "ch": [_BOOK]}],
    "StatsAnswer": [{"t": "stats", "id": 5, "ch": {_BOOK: {"from": 1840, "to": 1843, "merged": 3, "skipped": 0}}}],
    "Lag": [{"t": "lag", "st": "recovered", "skipped": 12, "rate_ms": 0}],
    "Bye": [{"t": "bye", "code": 4001, "after_ms": 1250}],
    "Snap": [
        {"t": "snap", **_PLACE, "e": 7, "b": [["97000.1", "0.5"]], "a": [["97000.4", "1.5"]], "crc": 3215847206},
        {"t": "snap", **_PLACE, "ch": "cbook:BTC-USD", "e": 7, "crc": 3215847206,
         "b": [["97000.1", "0.5", {"kraken": "0.5"}]], "a": [["97000.4", "1.5", {"coinbase": "1", "kraken": "0.5"}]],
         "v": {"kraken": {"st": "live", "fl": [], "age_ms": 12}}, "q": _QUOTE},
    ],
    "Delta": [{"t": "d", **_PLACE, "p": 1842, "n": 1, "b": [["97000.1", "0"]], "a": []}],
    "Best": [{"t": "bbo", "ch": _BBO, "e": 7, "s": 1843, "p": 1842, "n": 1, "v": {"kraken": _BEST}, "q": _QUOTE}],
    "Trades": [
        {"t": "trades", "ch": _TRADES, "e": 7, "s": 1843, "p": 1840, "n": 3, "drop": 0,
         "x": [[_TS, "97000.4", "0.01", "b", "81234", "kraken"]]}
    ],
    "BookStatus": [
        {"t": "status", "ex": "kraken", "sym": "BTC-USD", "st": "stale", "fl": [], "age_ms": 1200, "since": _TS,
         "why": "gap"}
    ],
    "PartStatus": [{"t": "status", "sys": "redis", "st": "down", "since": _TS, "why": "does not answer"}],
    "Metrics": [{"t": "metrics", "hops": [_HOP]}],
}  # fmt: skip
ASKED: dict[str, list[Any]] = {
    "SubscribeAsked": [
        {"op": "subscribe", "id": 1, "ch": [_BOOK, "status"], "depth": 25, "rate_ms": 100},
        {"op": "subscribe", "id": "again", "ch": [_BOOK], "node": "host-1f2e3d4c",
         "resume": {_BOOK: {"epoch": 7, "seq": 1842}}},
    ],
    "UnsubscribeAsked": [{"op": "unsubscribe", "id": 2, "ch": [_BOOK]}],
    "SetAsked": [{"op": "set", "id": 3, "ch": [_BOOK], "depth": 50}],
    "AuthAsked": [{"op": "auth", "id": 4, "token": "not-so-very-secret"}],
    "PingAsked": [{"op": "ping", "id": 5, "c": _TS}],
    "PlainAsked": [{"op": "list", "id": 6}],
}  # fmt: skip
