"""What is told of trouble with Redis, by heartbeats and to clients: a few words, no addresses."""

from __future__ import annotations

FULL = "redis full"
FUNCTIONS_LOST = "redis has no server functions"

_TOLD = (
    ("used memory >", FULL),
    ("read only replica", "redis read-only"),
    ("NOREPLICAS", "redis lacks replicas"),
    ("MISCONF", "redis can't save to disk"),
    ("loading the dataset", "redis is loading"),
    ("no permissions", "redis does not permit it"),
    ("ACL failure", "redis does not permit it"),
    ("NOAUTH", "redis refuses the login"),
    ("Authentication required", "redis refuses the login"),
    ("username-password", "redis refuses the login"),
    ("number of clients", "redis has too many clients"),
    ("DOWN ", "redis has no master"),
    ("functions are not loaded", FUNCTIONS_LOST),
    ("no answer in time", "redis does not answer"),
    ("Timeout connecting", "redis does not answer"),
    ("refused:", "redis refuses to work"),
)


def told(error: str) -> str:
    """Give what is told of a `RedisTrouble` with this text."""
    return next((words for mark, words in _TOLD if mark in error), "redis can't be reached")
