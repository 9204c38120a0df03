"""What a server's refusals mean: a few words for everybody, and advice for whoever runs it; services go on trying."""

from __future__ import annotations

from typing import NamedTuple

FULL = "OOM"


class Refusal(NamedTuple):
    """What heartbeats and clients are told of one kind of refusal, and what can be done about it."""

    told: str
    advice: str


REFUSALS = {
    FULL: Refusal("redis full", "its memory is full: raise `maxmemory`, or shorten THALWEG_RETENTION_S"),
    "READONLY": Refusal("redis read-only", "it is a replica, or was made one: let REDIS_URL name the primary"),
    "NOREPLICAS": Refusal("redis lacks replicas", "it writes only with replicas: see `min-replicas-to-write`"),
    "NOPERM": Refusal("redis forbids it", "the user of REDIS_URL may not do this: give it the commands and keys"),
    "ACL failure": Refusal(
        "redis forbids it", "the user of REDIS_URL may not do this in a function: give it the commands"
    ),
    "NOAUTH": Refusal("redis refuses the login", "it wants a password: put user and password into REDIS_URL"),
    "WRONGPASS": Refusal("redis refuses the login", "user or password is wrong: see REDIS_URL"),
    "LOADING": Refusal("redis is loading", "it is still loading its data"),
    "MISCONF": Refusal(
        "redis can't save to disk",
        "it can't save to disk: make room there, or set `stop-writes-on-bgsave-error no`",
    ),
    "MASTERDOWN": Refusal(
        "redis has no primary", "it is a replica without its primary: let REDIS_URL name the primary"
    ),
    "CLUSTERDOWN": Refusal("redis has no primary", "its cluster is down"),
    "BUSY": Refusal("redis is busy", "a script keeps it busy"),
    "max number of clients": Refusal("redis has too many clients", "it has no connection to spare: raise `maxclients`"),
}
_FAILURES = (
    ("functions are not loaded", "redis has no server functions"),
    ("no answer in time", "redis does not answer"),
    ("Timeout connecting", "redis does not answer"),
    ("refused:", "redis refuses to work"),
)


def code_of(text: str, said: str | None) -> str | None:
    """Give the kind of a refusal: the client's word for it, else the text's own; `None` if it is none of `REFUSALS`."""
    if said in REFUSALS and said is not None:
        return said
    return next((code for code in REFUSALS if text.startswith(code) or f" {code} " in text), None)


def explain(text: str, said: str | None = None) -> str:
    """Give a refusal's text with what to do about it."""
    code = code_of(text, said)
    return f"{text} ({REFUSALS[code].advice})" if code else text


def told(error: str) -> str:
    """Give what is told of a `RedisTrouble` with this text: no addresses, since clients see it."""
    for refusal in REFUSALS.values():
        if error.endswith(f"({refusal.advice})"):
            return refusal.told
    return next((words for mark, words in _FAILURES if mark in error), "redis can't be reached")
