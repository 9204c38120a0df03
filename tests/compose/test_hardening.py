"""The judge of containers finds each weakness alone, and the settings in compose.yaml and .env are all of ours."""

from __future__ import annotations

import copy
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compose.hardening import in_image, weak
from thalweg.cli.findings import VARIABLES

ROOT = Path(__file__).parents[2]
SOUND: dict[str, Any] = {
    "Config": {
        "Labels": {"com.docker.compose.service": "gateway"},
        "User": "10001:10001",
        "Env": ["REDIS_PASSWORD_FILE=/run/secrets/redis/password"],
        "Healthcheck": {"Test": ["CMD", "thalweg", "health"]},
    },
    "HostConfig": {
        "ReadonlyRootfs": True, "CapDrop": ["ALL"], "CapAdd": None, "Privileged": False, "PidsLimit": 256,
        "SecurityOpt": ["no-new-privileges:true"], "LogConfig": {"Config": {"max-size": "10m"}},
        "NetworkMode": "x_core", "PidMode": "", "IpcMode": "private", "Tmpfs": {"/tmp": "noexec,nosuid"},  # noqa: S108  # in a container
        "Memory": 1, "NanoCpus": 1, "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
    },
    "NetworkSettings": {"Networks": {"x_core": {}, "x_edge": {}}},
    "Mounts": [{"Name": "x_secret-gateway", "Source": "/var/lib", "RW": False}],
}  # fmt: skip


def test_a_sound_container_has_no_weakness() -> None:
    assert list(weak([SOUND])) == []


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("Config.User", "", "runs as root"),
        ("Config.Env", ["REDIS_PASSWORD=x"], "password in its environment"),
        ("Config.Healthcheck", None, "no health check"),
        ("HostConfig.ReadonlyRootfs", False, "can be written"),
        ("HostConfig.CapDrop", None, "capabilities"),
        ("HostConfig.CapAdd", ["NET_ADMIN"], "capabilities"),
        ("HostConfig.Privileged", True, "capabilities"),
        ("HostConfig.SecurityOpt", None, "gain privileges"),
        ("HostConfig.PidsLimit", 0, "bound on processes"),
        ("HostConfig.NetworkMode", "host", "namespace"),
        ("HostConfig.Tmpfs", {"/tmp": "rw"}, "programs may be run"),  # noqa: S108  # in a container
        ("HostConfig.Memory", 0, "bound on memory"),
        ("HostConfig.NanoCpus", 0, "bound on processors"),
        (
            "HostConfig.PortBindings",
            {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1"}]},
            "publishes",
        ),  # judged, not bound
        ("NetworkSettings.Networks", {"x_core": {}, "x_egress": {}}, "networks"),
        ("Mounts", [{"Name": "x_secret-ingest", "Source": "", "RW": False}], "secrets"),
        ("Mounts", [{"Name": "x_secret-gateway", "Source": "/var/run/docker.sock", "RW": False}], "engine's socket"),
    ],
)
def test_each_weakness_is_found(where: str, value: Any, said: str) -> None:
    one = copy.deepcopy(SOUND)
    *path, last = where.split(".")
    inner = one
    for name in path:
        inner = inner[name]
    inner[last] = value
    found = list(weak([one]))
    assert len(found) == 1
    assert said in found[0]


def test_compilers_and_caches_are_found_in_an_image() -> None:
    listing = "/usr/bin/fold\n/usr/bin/gcc\n/var/lib/dpkg/info/gcc-14-base:amd64.list\n/var/cache/apt/archives/x.deb"
    assert list(in_image(listing)) == [
        "a compiler: /usr/bin/gcc",
        "a package manager's cache: /var/cache/apt/archives/x.deb",
    ]


LEFT_TO_THE_IMAGE = {"INSTRUMENTS", "HOST", "REPORT", "TOKEN", "METRICS", "REPLAY"}
"""Settings that compose.yaml sets itself, or that make no sense in a container."""


def test_every_setting_can_be_made_in_env_and_reaches_the_services() -> None:
    explained = set(re.findall(r"^THALWEG_(\w+)=", (ROOT / ".env").read_text(), re.MULTILINE))
    passed = set(re.findall(r"\$\{THALWEG_(\w+)", (ROOT / "compose.yaml").read_text()))
    assert explained == passed
    assert passed >= VARIABLES - LEFT_TO_THE_IMAGE


def test_a_release_has_digests_and_an_image_without_one_is_refused(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$2" = inspect ] && [ "$ASKED" = known ] && echo "$5@sha256:abc"\nexit 0\n')
    docker.chmod(0o755)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ASKED": "known"}
    command = [str(ROOT / "deploy" / "pin-images")]
    pinned = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    plain = (ROOT / ".env").read_text()
    assert re.sub(r"@sha256:abc", "", pinned) == plain
    assert pinned.count("@sha256:abc") == 5
    refused = subprocess.run(command, env=environ | {"ASKED": "no"}, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "has no digest" in refused.stderr
