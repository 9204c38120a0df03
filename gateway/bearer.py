"""The optional bearer token: where a client may show it, and whether it is the right one.

Three ways, for those who can: an `Authorization: Bearer` header, an offered subprotocol `thalweg.token.<token>` beside
the real one (all that a browser can send with a handshake), or the op `auth`. Never the URL: those are logged.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

OFFER = "thalweg.token."


class Guard:
    """Knows the token, if one is set. REST asks it with `from_header`, WebSockets with whatever was shown."""

    def __init__(self, token: str | None) -> None:
        """Admit everybody, or whoever shows this token."""
        self._token = token

    @property
    def needed(self) -> bool:
        """Whether a token has to be shown."""
        return self._token is not None

    def admits(self, shown: str | None) -> bool:
        """Whether this is the token, or none is set; takes as long for a wrong one, wherever it differs."""
        if self._token is None:
            return True
        return shown is not None and hmac.compare_digest(shown.encode(errors="replace"), self._token.encode())


OPEN = Guard(None)


def from_header(value: str | None) -> str | None:
    """Give the token of an `Authorization` header (RFC 6750, section 2.1)."""
    scheme, _, token = (value or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def from_subprotocols(offered: Iterable[str]) -> str | None:
    """Give the token among the offered subprotocols."""
    return next((one.removeprefix(OFFER) for one in offered if one.startswith(OFFER)), None)
