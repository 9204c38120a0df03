"""What others made and the tests bring along is what it was when it was looked at."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).with_name("vendor")
HASHES = {
    "axe.min.js": "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",  # axe-core 4.14.1, MPL-2.0
    "axe.LICENSE": "af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e",
}


@pytest.mark.parametrize(("name", "expected"), HASHES.items())
def test_a_vendored_file_has_its_hash(name: str, expected: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected


def test_no_vendored_file_is_without_a_hash() -> None:
    assert {path.name for path in VENDOR.iterdir()} == set(HASHES)
