"""The rules of CONTRIBUTING.md that a program can check, each shown to bite on a snippet that breaks it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("thalweg", "ingest", "aggregator", "gateway", "simulator")
SERVICES = PACKAGES[1:]
EFFECTS = {
    *("asyncio", "anyio", "concurrent", "multiprocessing", "selectors", "signal", "subprocess", "threading"),
    *("redis", "websockets", "starlette", "uvicorn", "uvloop", "httpx", "http", "urllib", "socket", "ssl"),
    *("time", "random", "secrets", "uuid", "logging", "prometheus_client"),
}
ALLOWED_IN_A_CORE = ("urllib.parse", "http.HTTPStatus")
SHELL_FILES = {"source.py", "sink.py", "service.py", "app.py", "transport.py", "__main__.py"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "types", "constants", "manager", "handler"}
FORBIDDEN_IN_THE_GATEWAY = {"numba", "llvmlite", "thalweg.kernels", "thalweg.book"}
KEY = re.compile(r"(st|out|book|ckpt|status):\{|(bell|lease|epoch|worker|lat):")
SEAM = re.compile(r"(typing\.)?Protocol(\[.*\])?")
FILE_LINES = 300
FUNCTION_LINES = 40
SEAM_MEMBERS = 4


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def is_shell(path: PurePosixPath) -> bool:
    """Whether a file may have effects: sockets, clocks, tasks, randomness."""
    return (
        path.name in SHELL_FILES
        or path.parts[0] == "simulator"
        or path.parts[:2] == ("thalweg", "cli")
        or path == PurePosixPath("thalweg/read.py")
    )


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every imported name, dotted, with its line: both `import a.b` and `from a import b` give `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def typing_only(tree: ast.AST) -> set[int]:
    """The lines under `if TYPE_CHECKING:`, which never run."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }


def in_functions(tree: ast.AST) -> set[int]:
    """The lines of function bodies: what stands there runs when called, not when imported."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def effects_in_a_core(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    if is_shell(path):
        return
    unseen = typing_only(tree)
    if path.name == "kernels.py":  # run as a program, it times what it compiles
        unseen |= lines_of_main(tree)
    for name, line in imports(tree):
        if name.startswith(ALLOWED_IN_A_CORE) or line in unseen:
            continue
        if path == PurePosixPath("thalweg/clock.py") and name == "time":
            continue
        if name.split(".")[0] in EFFECTS or name == "thalweg.clock.SystemClock":
            yield f"{path}:{line} imports {name}; only a shell file may"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "utcnow", "now", "today"}:
            yield f"{path}:{node.lineno} reads {node.attr}; a core gets it as an argument"


def lines_of_main(tree: ast.Module) -> set[int]:
    """The lines of `main()` and of `if __name__ == "__main__":`."""
    return {
        line
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name == "main")
        or (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def crossed_borders(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    package = path.parts[0]
    lazy = in_functions(tree) | typing_only(tree)
    for name, line in imports(tree):
        target = name.split(".")[0]
        if target not in SERVICES or target == package:
            continue
        if package != "thalweg":
            yield f"{path}:{line} imports {name}; services know thalweg alone"
        elif path.parts[1] != "cli":
            yield f"{path}:{line} imports {name}; thalweg does not know its users"
        elif line not in lazy:
            yield f"{path}:{line} imports {name} at its top; the command line does so inside functions"


def numba_in_the_gateway(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    if path.parts[0] == "gateway":
        for name, line in imports(tree):
            if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN_IN_THE_GATEWAY):
                yield f"{path}:{line} imports {name}; it would cost the gateway 100 MB"


def keys_spelt_elsewhere(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    if path == PurePosixPath("thalweg/keys.py"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.decode(errors="replace") if isinstance(node.value, bytes) else node.value
            if KEY.match(text) and "\n" not in text:
                yield f"{path}:{node.lineno} spells the key {text!r}; thalweg/keys.py does that"


def shapeless(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    if path.stem in FORBIDDEN_NAMES or FORBIDDEN_NAMES & set(path.parts):
        yield f"{path} has a name that says nothing"
    if not ast.get_docstring(tree):
        yield f"{path}:1 has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > FUNCTION_LINES:
            yield f"{path}:{node.lineno} {node.name} has {code_lines(node)} lines; {FUNCTION_LINES} at most"
        if isinstance(node, ast.ClassDef) and any(SEAM.fullmatch(ast.unparse(base)) for base in node.bases):
            members = [child for child in node.body if not isinstance(child, ast.Expr)]
            if len(members) > SEAM_MEMBERS:
                yield f"{path}:{node.lineno} {node.name} has {len(members)} members; a seam has {SEAM_MEMBERS} at most"


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function, from `def` to its end, without its docstring."""
    first = function.body[0]
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    return lines - ((first.end_lineno or 0) - first.lineno + 1)


RULES = (effects_in_a_core, crossed_borders, numba_in_the_gateway, keys_spelt_elsewhere, shapeless)


def violations(path: str, source: str) -> list[str]:
    tree = ast.parse(source, filename=path)
    return [found for rule in RULES for found in rule(PurePosixPath(path), tree)]


def test_every_source_file_keeps_the_rules() -> None:
    found = [
        violation
        for path in sources()
        for violation in violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_no_source_file_is_too_long() -> None:
    files = [*sources(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "gateway" / "static").glob("*.js")]
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {path: lines for path, lines in lengths.items() if lines > FILE_LINES}


def test_every_package_is_there() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "__init__.py").is_file()] == []


DOC = '"""Doc."""\n'


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("ingest/session.py", "import asyncio", "imports asyncio"),
        ("ingest/session.py", "from time import monotonic_ns", "imports time.monotonic_ns"),
        ("ingest/session.py", "def f():\n    import random", "imports random"),
        ("ingest/session.py", "from thalweg.clock import SystemClock", "imports thalweg.clock.SystemClock"),
        ("thalweg/clock.py", "import asyncio", "imports asyncio"),
        ("thalweg/settings.py", "import os\nx = os.environ['A']", "reads environ"),
        ("thalweg/latency.py", "from datetime import datetime\nx = datetime.now()", "reads now"),
        ("thalweg/kernels.py", "import time", "imports time"),
        ("ingest/service.py", "from gateway.app import app", "services know thalweg alone"),
        ("simulator/market.py", "import aggregator.books", "services know thalweg alone"),
        ("thalweg/service.py", "def f():\n    import ingest.service", "thalweg does not know its users"),
        ("thalweg/cli/up.py", "import ingest.service", "inside functions"),
        ("gateway/replica.py", "from thalweg.book import Book", "100 MB"),
        ("gateway/replica.py", "import numba", "100 MB"),
        ("aggregator/sink.py", "key = f'out:{{{name}}}'", "spells the key"),
        ("aggregator/sink.py", "key = b'lease:1'", "spells the key"),
        ("ingest/utils.py", "", "says nothing"),
        ("ingest/seam.py", "class S(Protocol):\n" + "".join(f"    a{i}: int\n" for i in range(5)), "5 members"),
        ("ingest/long.py", "def f():\n" + "    x = 1\n" * 40, "41 lines"),
    ],
)
def test_a_broken_rule_is_seen(path: str, source: str, expected: str) -> None:
    (found,) = violations(path, DOC + source)
    assert expected in found


def test_a_missing_docstring_is_seen() -> None:
    assert violations("ingest/session.py", "x = 1") == ["ingest/session.py:1 has no docstring"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ingest/source.py", "import asyncio"),
        ("thalweg/read.py", "import redis.asyncio"),
        ("thalweg/cli/up.py", "def f():\n    import ingest.service"),
        ("thalweg/cli/up.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ingest.service"),
        ("simulator/market.py", "import random"),
        ("thalweg/kernels.py", "def main():\n    import time"),
        ("ingest/session.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio"),
        ("ingest/session.py", "from thalweg.clock import Clock"),
        ("thalweg/clock.py", "import time"),
        ("ingest/session.py", "from urllib.parse import urlencode"),
        ("aggregator/books.py", "import thalweg.book"),
        ("thalweg/keys.py", "key = f'out:{{{name}}}'"),
    ],
)
def test_what_the_rules_allow_passes(path: str, source: str) -> None:
    assert violations(path, DOC + source) == []


def test_the_gateway_runs_without_numba() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, gateway.app; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout.split()
    assert "gateway.app" in loaded
    assert FORBIDDEN_IN_THE_GATEWAY.isdisjoint(loaded)
