"""The values that messages are made of, each with what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal


@dataclass(frozen=True, slots=True)
class Row:
    """An array whose elements have a type each; those beyond the first `least` may be missing."""

    elements: tuple[Any, ...]
    least: int


Micros = Annotated[int, "an instant: microseconds since the Unix epoch"]
Duration = Annotated[float, "a duration in microseconds"]
DecimalText = Annotated[str, "an exact decimal number"]
ChannelName = Annotated[str, "as subscribed to, such as book:kraken:BTC-USD"]
Sequence = Annotated[int, "the instrument's sequence in out:"]
Epoch = Annotated[int, "the epoch of out: in which the sequence counts; a step into another one is an ordinary one"]
Merged = Annotated[int, "how many publications the message merges"]
Flags = Annotated[list[str], "such as crossed, late, conflated"]
Checksum = Annotated[int, "CRC32 of the best ten levels a side after applying: price:size, bids then asks, joined by |"]
Node = Annotated[str, "this process of the gateway: no other one, and no later one, has the same"]
Resumed = Annotated[bool, "true on the first message after a resume: it follows the position that the client named"]
RequestId = Annotated[int | str, "a whole number below 2^53 or 1 to 36 characters, repeated in the answer"]

LevelText = Annotated[list[Any], Row((DecimalText, DecimalText, dict[str, DecimalText]), 2)]
"""`[price, size]`, in a ladder `[price, size, {venue: size}]`."""
TradeText = Annotated[list[Any], Row((Micros, DecimalText, DecimalText, Literal["b", "s"], str, str), 6)]
"""`[instant, price, size, taker, id, venue]`."""
