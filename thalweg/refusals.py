"""What a server's refusals mean, and what whoever runs it can do; services go on trying through all of them."""

from __future__ import annotations

FULL = "OOM"

ADVICE = {
    FULL: "its memory is full: raise `maxmemory`, or shorten THALWEG_RETENTION_S",
    "READONLY": "it is a replica, or was made one: let REDIS_URL name the primary",
    "NOPERM": "the user of REDIS_URL may not do this: give it the commands and keys",
    "NOAUTH": "it wants a password: put user and password into REDIS_URL",
    "WRONGPASS": "user or password is wrong: see REDIS_URL",
    "LOADING": "it is still loading its data",
    "MISCONF": "it can't save to disk: make room there, or set `stop-writes-on-bgsave-error no`",
    "MASTERDOWN": "it is a replica without its primary: let REDIS_URL name the primary",
    "CLUSTERDOWN": "its cluster is down",
    "BUSY": "a script keeps it busy",
    "max number of clients": "it has no connection to spare: raise `maxclients`",
}


def code_of(text: str, said: str | None) -> str | None:
    """Give the kind of a refusal: the client's word for it, else the text's own; `None` if it is none of `ADVICE`."""
    if said in ADVICE and said is not None:
        return said
    return next((code for code in ADVICE if text.startswith(code) or f" {code} " in text), None)


def explain(text: str, said: str | None = None) -> str:
    """Give a refusal's text with what to do about it."""
    code = code_of(text, said)
    return f"{text} ({ADVICE[code]})" if code else text
