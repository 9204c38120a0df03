"""A venue is its own files and one line of the table: shared code names none. What may name one is listed here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.venues import VENUES

ROOT = Path(__file__).parents[1]
SHARED = ("ingest", "aggregator", "gateway", "thalweg", "simulator")
OF_A_VENUE = ("ingest/venues", "simulator/venues")
EXAMPLES = {  # words for people, in which any venue would do
    "gateway/contract/examples.py",
    "gateway/contract/openapi.py",
    "gateway/shapes/fields.py",
    "thalweg/cli/tail.py",
    "thalweg/read.py",
}
NAMED = re.compile(rf"(?<![a-z])(?:{'|'.join(VENUES)})(?![a-z])")
IN_PAGES = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(VENUES)})(?![A-Za-z])")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|<!--.*?-->", re.DOTALL)


def words(source: str) -> Iterator[tuple[str, int]]:
    """Every name and text of a program with its line, but for docstrings, which are for people."""
    tree = ast.parse(source)
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in spoken:
            yield str(node.value), node.lineno
        for field in ("id", "attr", "arg", "name", "module"):
            found = getattr(node, field, None)
            if isinstance(found, str):
                yield found, getattr(node, "lineno", 0)


def venues_named(path: str, source: str) -> list[str]:
    """Where a shared file names a venue."""
    if path.endswith(".py"):
        found = words(source)
        return [f"{path}:{line} names {match[0]}" for text, line in found for match in [NAMED.search(text)] if match]
    return [f"{path} names {match[0]}" for match in IN_PAGES.finditer(COMMENT.sub("", source))]


def shared_files() -> list[Path]:
    kinds = (".py", ".js", ".css", ".html", ".lua")
    found = [path for name in SHARED for path in sorted((ROOT / name).rglob("*")) if path.suffix in kinds]
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith(OF_A_VENUE)]


def test_shared_code_names_no_venue() -> None:
    found = [
        one
        for path in shared_files()
        if (name := path.relative_to(ROOT).as_posix()) not in EXAMPLES
        for one in venues_named(name, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ingest/session.py", 'if venue.name == "kraken": pass'),
        ("ingest/session.py", "from ingest.venues import kraken"),
        ("ingest/session.py", "import ingest.venues.okx"),
        ("thalweg/settings.py", 'DEFAULT = "binance,bybit"'),
        ("aggregator/books.py", "kraken_depth = 10"),
        ("gateway/static/words.js", 'const shown = { kraken: "Kraken" };'),
        ("gateway/static/page.css", ".venue-coinbase { color: red }"),
    ],
)
def test_a_venue_that_is_named_is_seen(path: str, source: str) -> None:
    assert len(venues_named(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ingest/session.py", '"""As Kraken, kraken does."""\nx = 1  # kraken'),
        ("thalweg/cli/up.py", 'def f():\n    """Do.\n\n    thalweg up --venues kraken\n    """'),
        ("gateway/static/words.js", "/** of kraken */ const x = 1; // kraken"),
        ("gateway/app.py", "import gateway.app\nx = 'aggregate'"),
    ],
)
def test_words_for_people_may_name_one(path: str, source: str) -> None:
    assert venues_named(path, source) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_has_all_its_files(venue: str) -> None:
    named = re.compile(rf"^{venue} = ", re.MULTILINE)
    files = (f"ingest/venues/{venue}.py", f"simulator/venues/{venue}.py", f"tests/ingest/venues/test_{venue}.py")
    assert [file for file in (*files, f"tests/frames/{venue}/provenance.toml") if not (ROOT / file).is_file()] == []
    assert named.search((ROOT / "thalweg/instruments.toml").read_text())
    assert len((ROOT / f"ingest/venues/{venue}.py").read_text().splitlines()) <= 250


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_has_its_services_and_its_page_of_words(venue: str) -> None:
    compose, scraped = (ROOT / name for name in ("compose.yaml", "deploy/observability/prometheus.yml"))
    for service in (f"ingest-{venue}", f"demo-{venue}"):
        assert f"  {service}: {{" in compose.read_text()
        assert f"- {service}\n" in scraped.read_text()
    assert f"THALWEG_{venue.upper()}_WS: ws://simulator:9900/{venue}\n" in compose.read_text()
    headings = [line for line in (ROOT / "docs/venues.md").read_text().splitlines() if line.startswith("## ")]
    assert any(venue in re.sub(r"[^a-z]", "", heading.lower()) for heading in headings)
