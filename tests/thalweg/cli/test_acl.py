"""`thalweg acl` shows the users, and writes them with a password each that is made once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from thalweg.access import users
from thalweg.cli import main

WITH_PASSWORD = [user.name for user in users(()) if user.password]


def _acl(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["acl", *arguments])


def _written(tmp_path: Path, *more: str) -> dict[str, str]:
    """Write both and give the users' passwords."""
    said = _acl("--passwords", str(tmp_path / "secrets"), "--output", str(tmp_path / "users.acl"), *more)
    assert said.exit_code == 0, said.output
    return {name: (tmp_path / "secrets" / name / "password").read_text().strip() for name in WITH_PASSWORD}


def test_without_options_the_rights_are_shown() -> None:
    said = _acl()
    assert [line.split()[0] for line in said.output.splitlines()] == [user.name for user in users(())]
    assert "~lease:{*}:kraken" in said.output


def test_passwords_are_made_once_and_only_their_hashes_are_in_the_file(tmp_path: Path) -> None:
    made = _written(tmp_path)
    assert len(set(made.values())) == len(WITH_PASSWORD)
    assert _written(tmp_path) == made
    text = (tmp_path / "users.acl").read_text()
    for name, password in made.items():
        assert password not in text
        assert f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()} " in text
    assert not set(_written(tmp_path, "--renew").values()) & set(made.values())


def test_only_the_owner_reads_a_password(tmp_path: Path) -> None:
    _written(tmp_path)
    assert {(tmp_path / "secrets" / name / "password").stat().st_mode & 0o777 for name in WITH_PASSWORD} == {0o400}


@pytest.mark.parametrize("alone", ["--passwords", "--output"])
def test_one_option_without_the_other_is_a_wrong_use(alone: str, tmp_path: Path) -> None:
    said = _acl(alone, str(tmp_path / "there"))
    assert said.exit_code == 2
    assert "go together" in said.output


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "ingest").mkdir(parents=True)
    (tmp_path / "secrets" / "ingest" / "password").touch()
    said = _acl("--passwords", str(tmp_path / "secrets"), "--output", str(tmp_path / "users.acl"))
    assert said.exit_code == 2
    assert "is empty" in said.output
    assert not (tmp_path / "users.acl").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    said = _acl("--passwords", str(tmp_path / "secrets" / "deeper"), "--output", str(tmp_path / "users.acl"))
    assert said.exit_code == 2
    assert "Traceback" not in said.output
