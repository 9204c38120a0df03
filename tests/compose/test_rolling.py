"""`deploy/roll` takes old containers away only once the new ones are well; against an engine of a few lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = """#!/bin/sh
case "$*" in
  "compose ps"*) cat there ;;
  *" up "*) echo "$*" >>done; [ "$HEALTH" = refused ] && exit 1; echo new >>there ;;
  inspect*) echo "$HEALTH" ;;
  stop*|rm*) echo "$*" >>done; grep -v "${*##* }" there >rest; mv rest there ;;
esac
"""


def rolled(folder: Path, health: str, there: str = "old\n") -> tuple[int, list[str], str]:
    """Give the exit code, what was done to containers, and which there are in the end."""
    for name in ("deploy", "bin"):
        (folder / name).mkdir()
    (folder / "deploy" / "roll").write_text((ROOT / "deploy" / "roll").read_text())
    engine = folder / "bin" / "docker"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    (folder / "there").write_text(there)
    (folder / "done").write_text("")
    environ = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HEALTH": health, "ROLL_WAIT": "1"}
    done = subprocess.run(["sh", folder / "deploy" / "roll", "a"], env=environ, capture_output=True, check=False)
    return done.returncode, (folder / "done").read_text().splitlines(), (folder / "there").read_text()


def test_the_old_one_leaves_when_the_new_one_is_well(tmp_path: Path) -> None:
    code, did, there = rolled(tmp_path, "healthy")
    up = "compose --progress quiet up --detach --no-deps --no-recreate --scale a=2 a"
    assert (code, did, there) == (0, [up, "stop old", "rm old"], "new\n")


@pytest.mark.parametrize("health", ["starting", "unhealthy", "exited", "refused"])
def test_the_old_one_stays_where_the_new_one_is_not_well(tmp_path: Path, health: str) -> None:
    code, did, there = rolled(tmp_path, health)
    assert (code, did[1:], there) == (1, [] if health == "refused" else ["rm --force new"], "old\n")


def test_a_service_that_does_not_run_is_refused(tmp_path: Path) -> None:
    assert rolled(tmp_path, "healthy", there="")[:2] == (1, [])
