"""A venue that only sends: frames rendered before the start, in a burst or one by one, to one client.

Run as a process of its own: `python -m tests.bench.sender FRAMES RATE FLAGS < LINES`, where RATE 0 is a burst and FLAGS
are of `tls` and `deflate`. It prints its port, waits for one client's handshake, and sends.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455, section 1.3
WRITE = 65_536  # bytes of a burst in one write
EXTENSION = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


def packed(frames: Sequence[bytes], *, deflate: bool) -> Iterator[bytes]:
    """Give WebSocket frames for ever; compressed ones go on from those before, as RFC 7692 has it by default."""
    squeeze = zlib.compressobj(wbits=-15)
    for text in itertools.cycle(frames):
        body = squeeze.compress(text) + squeeze.flush(zlib.Z_SYNC_FLUSH) if deflate else text
        body = body.removesuffix(b"\x00\x00\xff\xff") if deflate else body
        length = bytes((len(body),)) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
        yield bytes((0xC1 if deflate else 0x81,)) + length + body


def certificate() -> ssl.SSLContext:
    """Give a context with a certificate made for the minute, which nobody need believe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, found = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        subprocess.run([*command, "-keyout", str(key), "-out", str(found)], check=True, capture_output=True)
        context.load_cert_chain(found, key)
    return context


def shake_hands(client: socket.socket, *, deflate: bool) -> None:
    """Answer a client's request to upgrade."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4096)
    key = next(line.split()[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accepted = base64.b64encode(hashlib.sha1(key + KEY, usedforsecurity=False).digest()).decode()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += EXTENSION if deflate else ""
    client.sendall(f"{head}Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode())


def send(client: socket.socket, frames: Sequence[bytes], rate: float) -> None:
    """Send all frames: as many as fit into a write, or so many a second, each at its instant."""
    if not rate:
        whole = b"".join(frames)
        for start in range(0, len(whole), WRITE):
            client.sendall(whole[start : start + WRITE])
        return
    began = time.monotonic()
    for number, frame in enumerate(frames):
        time.sleep(max(began + number / rate - time.monotonic(), 0))
        client.sendall(frame)


def main() -> None:
    """Serve one client as the arguments say."""
    count, rate, flags = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    texts = sys.stdin.buffer.read().splitlines()
    frames = list(itertools.islice(packed(texts, deflate="deflate" in flags), count))
    context = certificate() if "tls" in flags else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        raw, _ = listener.accept()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = context.wrap_socket(raw, server_side=True) if context else raw
        shake_hands(client, deflate="deflate" in flags)
        time.sleep(0.3)  # until the client is in its loop
        send(client, frames, rate)
        client.recv(1)  # it has counted them all and leaves


if __name__ == "__main__":
    main()
