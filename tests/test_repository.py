"""What holds for the repository as a whole: its version, its locks, its documents, what must never be in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

import thalweg

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "deploy/runtime.lock")
GENERATED = {".git", ".venv", "build", "dist", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
LARGEST = 1 << 20  # bytes
README_LINES = 100
DECISION_LINES = 40
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:work|farm|root|home/\w+|Users/\w+)/[A-Za-z.]")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|deb\.debian\.org|registry\.npmjs\.org|(?:unpkg|jsdelivr)\.\w+")
EMOJI = re.compile("[\U0001f000-\U0001faff\ufe0f]")
UNFILLED = re.compile(r"@@\w+@@")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the repository; where git is not at hand, all that are not generated."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        files = [path for path in ROOT.rglob("*") if GENERATED.isdisjoint(path.relative_to(ROOT).parts)]
    return tuple(path for path in files if path.is_file() and "__pycache__" not in path.parts)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found[name(path)] = content.decode("utf-8", errors="replace")
    return found


def hits(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line.strip()[:120] for line in text.splitlines() if pattern.search(line)]


@pytest.mark.parametrize(
    "pattern", [MACHINE_PATH, REGISTRY, EMOJI, UNFILLED], ids=["machine path", "registry", "emoji", "unfilled"]
)
def test_no_text_names_what_it_must_not(pattern: re.Pattern[str]) -> None:
    found = {file: hits(pattern, text) for file, text in texts().items()}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "see " + "/ro" + "ot/.config"),
        (MACHINE_PATH, "open('" + "/wo" + "rk/main/x')"),
        (REGISTRY, "https://files.python" + "hosted.org/packages/a.whl"),
        (UNFILLED, "@" + "@RATE@@ frames/s"),
        (EMOJI, "done \N{ROCKET}"),
    ],
)
def test_what_must_not_be_named_is_recognised(pattern: re.Pattern[str], text: str) -> None:
    assert hits(pattern, text)


def test_no_file_is_larger_than_a_mebibyte() -> None:
    assert {name(path): path.stat().st_size for path in tracked() if path.stat().st_size > LARGEST} == {}


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= README_LINES
    assert "make up" in readme
    assert "make test" in readme


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    head = re.search(r"^## (\S+) - (unreleased|\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)
    assert head
    assert head[1] == thalweg.__version__


def test_the_license_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_exact_and_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(requirements) > 20
    assert [
        line[:60] for line in requirements if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    ] == []


def test_the_locks_agree() -> None:
    pins = [set(re.findall(r"^[a-z0-9.-]+==\S+", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS]
    assert pins[1] < pins[0]


def test_links_between_documents_lead_somewhere() -> None:
    broken = {
        f"{file}: {target}"
        for file, text in texts().items()
        if file.endswith(".md")
        for target in LINK.findall(text)
        if not (ROOT / file).parent.joinpath(target).exists()
    }
    assert broken == set()


def test_decisions_are_numbered_densely_short_and_have_a_status() -> None:
    files = sorted(path for path in (ROOT / "docs" / "decisions").glob("*.md") if path.name != "README.md")
    assert [path.name[:4] for path in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    decisions = {path.name: path.read_text(encoding="utf-8") for path in files}
    assert {file for file, text in decisions.items() if len(text.splitlines()) > DECISION_LINES} == set()
    assert {file for file, text in decisions.items() if "status" not in text.lower()} == set()


def test_scripts_can_be_run() -> None:
    scripts = [path for path in tracked() if path.read_bytes()[:3] == b"#!/"]
    assert scripts
    assert [name(path) for path in scripts if not path.stat().st_mode & 0o111] == []


OF_OLDER_PYTHONS = {"async-timeout"}


def test_the_list_of_licences_is_of_what_is_locked() -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", texts()["deploy/runtime.lock"], re.MULTILINE))
    rows = re.findall(r"^\| ([\w-]+) +\| (\S+) +\| (\S.*?) +\|$", texts()["docs/licences.md"], re.MULTILINE)
    listed = {package.lower().replace("_", "-"): version for package, version, _ in rows if package != "Name"}
    assert listed == {package: version for package, version in locked.items() if package not in OF_OLDER_PYTHONS}
    assert not [row for row in rows if re.search(r"\b(A|L)?GPL|UNKNOWN", row[2])]
