"""What every container must be: unprivileged, read-only, bounded, and apart from what it has no business with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.compose.engine import service_of

STOP_S = 10
COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "make", "rustc", "ld")
VENUE_NETWORKS = {"egress", "venues"}
NETWORKS = {
    "redis-users": set(),
    "redis": {"core"},
    "redis-init": {"core"},
    "aggregator": {"core"},
    "simulator": {"venues"},
    "gateway": {"core", "edge"},
    "proxy": {"edge"},
}


def weak(containers: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Give a sentence for everything that is not as it must be."""
    for one in containers:
        name, host, config = service_of(one), one["HostConfig"], one["Config"]
        wrong = {
            "runs as root": config["User"] in ("", "0", "root", "0:0"),
            "has a root that can be written": not host["ReadonlyRootfs"],
            "has capabilities": host["CapDrop"] != ["ALL"] or bool(host["CapAdd"]) or host["Privileged"],
            "may gain privileges": "no-new-privileges:true" not in (host["SecurityOpt"] or []),
            "has no bound on processes": not host["PidsLimit"],
            "has no bound on its log": host["LogConfig"]["Config"].get("max-size") != "10m",
            "shares a namespace of the host": "host" in (host["NetworkMode"], host["PidMode"], host["IpcMode"]),
            "is mounted where programs may be run": any("noexec" not in how for how in (host["Tmpfs"] or {}).values()),
            "mounts the engine's socket": any("docker.sock" in mount["Source"] for mount in one["Mounts"]),
            "holds a password in its environment": any("PASSWORD=" in text for text in config["Env"]),
        }
        if name != "redis-users":
            wrong["has no bound on memory"] = not host["Memory"]
            wrong["has no bound on processors"] = not host["NanoCpus"]
            wrong["has no health check"] = not config.get("Healthcheck")
        yield from (f"{name} {what}" for what, found in wrong.items() if found)
        yield from _apart(name, one)


def _apart(name: str, one: dict[str, Any]) -> Iterable[str]:
    """Give what is wrong with networks, ports, and secrets of others."""
    networks = {network.rpartition("_")[2] for network in one["NetworkSettings"]["Networks"]} - {"none"}
    expected = NETWORKS.get(name)
    ingest = name.startswith(("ingest-", "demo-"))
    if networks != expected and not (ingest and networks - VENUE_NETWORKS == {"core"}):
        yield f"{name} is in the networks {sorted(networks)}"
    for port, bound in (one["HostConfig"]["PortBindings"] or {}).items():
        if name not in ("gateway", "proxy") or any(where["HostIp"] != "127.0.0.1" for where in bound):
            yield f"{name} publishes {port} at {bound}"
    secrets = {mount["Name"].rpartition("_")[2] for mount in one["Mounts"] if "secret-" in mount.get("Name", "")}
    own = {"secret-" + ("ingest" if ingest else {"redis-init": "loader"}.get(name, name))}
    if name not in ("redis-users", "redis", "simulator", "proxy") and secrets != own:
        yield f"{name} has the secrets {sorted(secrets)}"
    if name != "redis-users" and any(mount["RW"] for mount in one["Mounts"] if mount.get("Name", "").endswith("acl")):
        yield f"{name} may write the ACL file"


def in_image(listing: str) -> Iterable[str]:
    """Give what has no business in the image, of its files as paths, one a line."""
    for path in listing.splitlines():
        name = path.rpartition("/")[2]
        if "/bin/" in path and name in COMPILERS:
            yield f"a compiler: {path}"
        elif "/.cache/" in path or (path.startswith("/var/cache/apt/") and name.endswith(".deb")):
            yield f"a package manager's cache: {path}"
