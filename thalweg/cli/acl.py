"""`thalweg acl`: the Redis users as an ACL file, and a password of its own for each."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from thalweg.access import User, acl_file, users
from thalweg.cli.server import environment
from thalweg.errors import SettingsError
from thalweg.instruments import ALL

FILE = "password"  # in each user's folder
SECRET_BYTES = 32  # nobody types it, and the server keeps only its SHA-256
OWNER_READS, ALL_READ = 0o400, 0o444


@click.command()
@click.option(
    "--passwords",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep each user's password in DIR/<user>/password; those that are missing are made.",
)
@click.option("--renew", is_flag=True, help="Make all passwords anew.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where the ACL file goes."
)
def command(passwords: Path | None, renew: bool, output: Path | None) -> None:
    """Show the Redis users that the services need, or write them for a server's `aclfile`.

    Without options a table of users and rights is printed. The ACL file holds hashes alone; a service is given its own
    password as a file: REDIS_URL=redis://ingest@host:6379/0 REDIS_PASSWORD_FILE=DIR/ingest/password. After a change let
    the server read it: ACL LOAD, or start it again. Of the venues, those in the instruments file are let in.

    Examples:
      thalweg acl
      thalweg acl --passwords secrets --output users.acl
      thalweg acl --passwords secrets --output users.acl --renew
    """
    instruments = environment([ALL]).instruments.by_name.values()
    venues = sorted({venue for one in instruments for venue in one.symbols})
    if passwords is None and output is None:
        click.echo("\n".join(f"{user.name:<10} {' '.join(user.rules())}" for user in users(venues)))
        return
    if passwords is None or output is None:
        raise click.UsageError("--passwords and --output go together")
    try:
        kept = {user.name: _password(passwords, user, renew=renew) for user in users(venues) if user.password}
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(output, acl_file(venues, kept), ALL_READ)
    except OSError as error:
        raise SettingsError(f"{error.filename or output}: {error.strerror}") from error
    click.echo(f"{output}: {len(users(venues))} users; their passwords are in {passwords}/<user>/{FILE}")


def _password(folder: Path, user: User, *, renew: bool) -> str:
    """Give a user's password; made where there is none."""
    path = folder / user.name / FILE
    if renew or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, secrets.token_urlsafe(SECRET_BYTES) + "\n", OWNER_READS)
    text = path.read_text(encoding="ascii").strip()
    if not text:
        raise SettingsError(f"{path} is empty: write a password into it, or remove it and one is made")
    return text


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file whole: whoever reads it finds the old text or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=mode)
    beside.chmod(0o600)
    beside.write_text(text, encoding="ascii")
    beside.chmod(mode)
    beside.replace(path)
