"""One tree of errors; each class says who must act.

ThalwegError
|-- SettingsError        the operator: a setting, file or argument is wrong
|-- DecodeError          nobody: a frame is not what the venue documents; it is counted
|   `-- NumberRefused    nobody: a number does not fit exactly; it is counted by its reason
|-- WireError            the developer or the operator: bytes in Redis are not our layout
|-- CaptureError         the user: a capture file is not in the capture format
|-- RedisTrouble         the operator: Redis can't be used; the service retries by itself
|   |-- FunctionsMissing the operator: the server functions are not loaded (`thalweg redis-init`)
|   `-- RedisFull        the operator: the server's memory is full; what may be trimmed is trimmed meanwhile
|-- GatewayTrouble       the user: no gateway answers, it refuses, or it does not want this client back
|-- Fenced               nobody: another owner took the stream over; this one stops writing
`-- Held                 nobody: another worker holds the lease; this one waits its turn
"""

from __future__ import annotations


class ThalwegError(Exception):
    """Anything this project raises on purpose."""


class SettingsError(ThalwegError):
    """A setting, file or argument is wrong; the text says which and what to do."""


class DecodeError(ThalwegError):
    """A frame is not what the venue documents; it costs the frame and is counted."""


class NumberRefused(DecodeError):
    """A number that does not fit exactly; never rounded, never taken for zero.

    `reason` is one of `empty`, `syntax`, `negative`, `zero`, `decimals`, `overflow`.
    """

    def __init__(self, reason: str, text: str) -> None:
        """Keep the reason apart from the text, which comes from outside and is cut to 40 characters."""
        super().__init__(f"{reason}: {text[:40]!r}")
        self.reason = reason


class WireError(ThalwegError):
    """Bytes read from Redis are not in a layout this version knows."""


class CaptureError(ThalwegError):
    """A line of a capture is not in the capture format."""


class RedisTrouble(ThalwegError):
    """Redis can't be reached, answers with an error, or has not answered in time."""


class FunctionsMissing(RedisTrouble):
    """The server does not have our functions; `thalweg redis-init` loads them."""


class RedisFull(RedisTrouble):
    """The server refuses to store more; reading, trimming and leases still work."""


class GatewayTrouble(ThalwegError):
    """A client can't use the gateway; `for_good` where trying again does not help."""

    def __init__(self, text: str, for_good: bool = False) -> None:
        """Keep whether another attempt may help."""
        super().__init__(text)
        self.for_good = for_good


class Fenced(ThalwegError):
    """A newer epoch owns this stream; whoever gets this stops writing to it for good."""


class Held(ThalwegError):
    """Another worker holds the lease of this shard; whoever gets this leaves the shard alone."""
