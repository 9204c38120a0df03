"""What a session wants done by whoever owns its connection."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg.events import Event


@dataclass(slots=True)
class Effects:
    """Append `events`, send the frames of `send`, fetch the books of `fetch` by REST, end the connection for `close`.

    `whole` and `moved` say what the frame held: a whole book, a change or trade of the moment.
    """

    events: list[Event] = field(default_factory=list)
    send: list[str] = field(default_factory=list)
    fetch: list[str] = field(default_factory=list)
    close: str | None = None
    whole: bool = False
    moved: bool = False
