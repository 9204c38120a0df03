"""TLS to a server and to a Cluster: its certificate is checked against a CA, and it may want one of the client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from thalweg.cli.embedded import free_port
from thalweg.errors import RedisTrouble
from thalweg.keys import SLOTS
from thalweg.resp import pack
from thalweg.transport import RedisLink

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.integration,
    pytest.mark.skipif(
        not (shutil.which("redis-server") and shutil.which("openssl")),
        reason="no redis-server with TLS, or no openssl; deploy/redis-server installs the first",
    ),
]
DAYS = ("-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def certify(folder: Path, name: str, *more: str) -> None:
    made = [*("-keyout", f"{name}.key"), *("-out", f"{name}.pem"), *("-subj", f"/CN={name}"), *DAYS, *more]
    subprocess.run(["openssl", "req", "-x509", *made], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, another one, and a certificate of the first for the server and the client."""
    folder = tmp_path_factory.mktemp("tls")
    certify(folder, "ca")
    certify(folder, "other")
    certify(folder, "node", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["server", "cluster"])
def place(
    request: pytest.FixtureRequest, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Scheme and address of a server that speaks TLS alone and wants a certificate; or a Cluster of one such."""
    port, folder = free_port(), tmp_path_factory.mktemp("server")
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--dir", str(folder), "--save", ""]
    for option, file in (("cert", "node.pem"), ("key", "node.key"), ("ca-cert", "ca.pem")):
        command += [f"--tls-{option}-file", str(certificates / file)]
    if request.param:
        command += ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        next(line for line in server.stdout if "Ready to accept connections" in line)
        yield f"rediss{'+cluster' if request.param else ''}://127.0.0.1:{port}"
        server.terminate()


async def connected(url: str) -> None:
    link = RedisLink(url, "test")
    try:
        await link.connect()
        if link.clustered:
            await link.run([pack("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)])  # refused where it has them
            await link.connect()
        for server in await link.servers():
            assert await server.call("PING") == b"PONG"
    finally:
        await link.close()


def ours(folder: Path, authority: str = "ca") -> str:
    return f"?ssl_ca_certs={folder}/{authority}.pem&ssl_certfile={folder}/node.pem&ssl_keyfile={folder}/node.key"


async def test_a_server_that_our_authority_knows_is_talked_to(place: str, certificates: Path) -> None:
    await connected(place + ours(certificates))


async def test_a_server_that_it_does_not_know_is_not(place: str, certificates: Path) -> None:
    with pytest.raises(RedisTrouble, match=r"(?i)certificate"):
        await connected(place + ours(certificates, "other"))


async def test_who_shows_no_certificate_is_not_let_in(place: str, certificates: Path) -> None:
    with pytest.raises(RedisTrouble):
        await connected(f"{place}?ssl_ca_certs={certificates}/ca.pem")
