"""The desk as lines for a terminal of a given size: no cursor movements, so it can be tested as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thalweg.cli.desk.model import ORDERS, Desk, Row, ordered

RESET = "\x1b[0m"
BOLD, DIM, REVERSED = "\x1b[1m", "\x1b[2m", "\x1b[7m"
RED, GREEN, YELLOW, BLUE = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m"
OF_STATE = {"live": GREEN, "stale": RED, "halted": BLUE, "syncing": YELLOW, "connecting": YELLOW, "delisted": DIM}
COLUMNS = (  # title, width, what is sorted by it, aligned to the right
    ("VENUE", 12, "venue", False),
    ("INSTRUMENT", 12, "instrument", False),
    ("STATE", 11, "state", False),
    ("AGE", 7, "age", True),
    ("PUB/S", 6, "rate", True),
    ("BID SIZE", 15, "", True),
    ("BID", 15, "", True),
    ("ASK", 15, "", True),
    ("ASK SIZE", 15, "", True),
    ("BPS", 7, "spread", True),
)
HOPS = ("total", "engine", "stream", "hold", "loop")
FRACTION = 8  # digits after the point that a column has room for
SILENT_S = 3.0  # a heartbeat comes each second
KEYS = "q quit   s v i a r p sort   / filter   ↑ ↓ PgUp PgDn move   space freeze"


@dataclass(slots=True)
class View:
    """What the operator has chosen."""

    by: str = "state"
    wanted: str = ""
    typing: bool = False
    top: int = 0
    frozen: bool = False
    colour: bool = True


def lines(desk: Desk, view: View, now: float, width: int, height: int) -> list[str]:
    """Give as many lines as the terminal is high; none is wider than it is."""
    rows = ordered(desk, view.by, view.wanted, now)
    room = max(height - 5, 0)
    view.top = max(0, min(view.top, len(rows) - room))
    shown = rows[view.top : view.top + room]
    body = [_row(row, now, view.colour, width) for row in shown]
    body += [""] * (room - len(body))
    head = [_summary(desk, now, view.colour), _latency(desk), "", _titles(view)]
    return [clip(line, width) for line in (*head, *body, _foot(view, len(rows), room))][:height]


def _summary(desk: Desk, now: float, colour: bool) -> str:
    states = Counter(row.state for row in desk.rows.values())
    live, total = states.pop("live", 0), len(desk.rows)
    others = ", ".join(f"{count} {state}" for state, count in states.most_common())
    books = paint(f"{live} of {total} live", GREEN if total and live == total else RED, colour)
    parts = "  ".join(
        paint(f"{name} {part.state}{f' ({part.why})' if part.why else ''}", _mood(part.state == "live"), colour)
        for name, part in desk.parts.items()
    )
    silent_s = now - desk.heard_at
    gateway = f"gateway silent for {silent_s:.0f} s" if silent_s > SILENT_S else f"gateway {desk.node}"
    heard = paint(gateway, _mood(silent_s <= SILENT_S), colour)
    return f"thalweg  {books}{f' ({others})' if others else ''}   {parts}   {heard}"


def _mood(good: bool) -> str:
    return "" if good else RED


def _latency(desk: Desk) -> str:
    """Give the hops that tell most: p50 and p99 of the slowest service."""
    told = [(name, desk.hop(name)) for name in HOPS]
    texts = [f"{name} {duration(one['p50'])}/{duration(one['p99'])}" for name, one in told if one is not None]
    return f"p50/p99  {'   '.join(texts)}" if texts else "no latencies yet"


def duration(us: float) -> str:
    """Give microseconds so that three figures are seen: 850us, 12.3ms, 1.20s."""
    if us < 1000:
        return f"{us:.0f}us"
    return f"{us / 1e3:.3g}ms" if us < 1e6 else f"{us / 1e6:.3g}s"


def _titles(view: View) -> str:
    cells = [
        _cell(f"{title}{'▾' if by and by == view.by else ''}", width, right) for title, width, by, right in COLUMNS
    ]
    text = " ".join([*cells, " WHY"])
    return f"{REVERSED}{text}{RESET}" if view.colour else text


def _row(row: Row, now: float, colour: bool, width: int) -> str:
    age, spread, best = row.age(now), row.spread(), row.best or ("", "", "", "")
    numbers = (
        "" if age is None else f"{age:.1f}s" if age < 1000 else f"{age / 60:.0f}m",
        "" if row.rate is None else f"{row.rate:.0f}",
        *(point(best[at]) for at in (1, 0, 2, 3)),
        "" if spread is None else f"{spread:.2f}",
    )
    why = " ".join([*row.flags, *([row.why] if row.why else [])])
    texts = (row.venue, row.instrument, row.state, *numbers)
    cells = [_cell(text, wide, right) for text, (_, wide, _, right) in zip(texts, COLUMNS, strict=True)]
    used = sum(wide + 1 for _, wide, _, _ in COLUMNS)
    cells[2] = paint(cells[2], OF_STATE.get(row.state, RED), colour)
    return " ".join([*cells, paint(f" {why}"[: max(width - used, 0)], YELLOW, colour and bool(row.flags))])


def point(number: str) -> str:
    """Give a number so that points stand below one another in a column that is aligned to the right."""
    whole, dot, fraction = number.partition(".")
    return f"{whole}{dot or ' '}{fraction:<{FRACTION}}" if number else ""


def _cell(text: str, width: int, right: bool) -> str:
    """Give a text in its column; one that is too long says so at its end."""
    short = text if len(text) <= width else f"{text[: width - 1]}…"
    return short.rjust(width) if right else short.ljust(width)


def _foot(view: View, count: int, room: int) -> str:
    if view.typing:
        return f"/{view.wanted}_   Enter to keep, Esc to drop"
    last = min(view.top + room, count)
    place = f"{view.top + 1 if count else 0}-{last} of {count} by {view.by}"
    wanted = f"   /{view.wanted}" if view.wanted else ""
    return f"{place}{wanted}{'   FROZEN' if view.frozen else ''}   {KEYS}"


def paint(text: str, code: str, colour: bool) -> str:
    """Give a text in a colour, or plain."""
    return f"{code}{text}{RESET}" if colour and code and text else text


def clip(line: str, width: int) -> str:
    """Cut a line to so many cells; codes of colours take none."""
    left, out, at = width, list[str](), 0
    while at < len(line) and left > 0:
        if line[at] == "\x1b":
            end = line.index("m", at) + 1
            out.append(line[at:end])
            at = end
        else:
            out.append(line[at])
            at, left = at + 1, left - 1
    coloured = "\x1b" in line
    return "".join(out) + (RESET if coloured and at < len(line) else "")


SORTS = {order[0]: order for order in ORDERS} | {"p": "spread", "s": "state"}


def press(view: View, key: str, page: int) -> bool:
    """Do what a key asks; `False` when it is to end.

    Args:
        view: what was chosen so far.
        key: a character, or a name such as `up`, `pagedown`, `enter`, `escape`, `backspace`.
        page: lines of a page.
    """
    if view.typing:
        _type(view, key)
    elif key in ("q", "\x03"):
        return False
    elif key == "/":
        view.typing, view.top = True, 0
    elif key == " ":
        view.frozen = not view.frozen
    elif key == "escape":
        view.wanted = ""
    elif key in SORTS:
        view.by, view.top = SORTS[key], 0
    else:
        moves = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -(10**6), "end": 10**6}
        view.top = max(0, view.top + moves.get(key, 0))
    return True


def _type(view: View, key: str) -> None:
    if key in ("enter", "escape"):
        view.typing = False
        view.wanted = "" if key == "escape" else view.wanted
    elif key == "backspace":
        view.wanted = view.wanted[:-1]
    elif len(key) == 1 and key.isprintable():
        view.wanted += key


def plain(rows: Iterable[Row], now: float) -> list[str]:
    """Give rows as they are printed once, without a terminal."""
    wide = 200
    return [_row(row, now, False, wide).rstrip() for row in rows]


def as_json(rows: Sequence[Row], now: float) -> list[dict[str, object]]:
    """Give rows for programs; prices and sizes are texts, exact."""
    return [
        {
            "venue": row.venue, "instrument": row.instrument, "state": row.state, "flags": list(row.flags),
            "why": row.why, "age_s": row.age(now), "publications_per_s": row.rate,
            "bid": row.best and row.best[0], "bid_size": row.best and row.best[1],
            "ask": row.best and row.best[2], "ask_size": row.best and row.best[3],
        }
        for row in rows
    ]  # fmt: skip
