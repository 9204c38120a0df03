"""The page's pure modules, tested by Node's own runner where there is a Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE_TESTS = Path(__file__).parent / "page"
OLDEST_NODE = (20, 19)  # takes a .js file with imports for the module it is


def find_node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH: the page's modules are covered by the browser test alone")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < OLDEST_NODE:
        pytest.skip(f"node {version.strip()} is older than {OLDEST_NODE}")
    return node


def test_the_pages_modules_pass_their_own_tests() -> None:
    node = find_node()
    files = sorted(map(str, PAGE_TESTS.glob("*.test.mjs")))
    assert files
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
