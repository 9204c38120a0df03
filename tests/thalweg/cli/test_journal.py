"""What was recorded is there: after kill -9, in parts, on a full disk."""

from __future__ import annotations

import errno
import gzip
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg.capture import Line, format_line, parse_line
from thalweg.cli import journal
from thalweg.cli.journal import Journal, Limits, part_name
from thalweg.cli.reading import CaptureFile
from thalweg.errors import CaptureError, SettingsError

RECORDER = """
import sys, time
from pathlib import Path
from thalweg.capture import Line, format_line
from thalweg.cli.journal import Journal, Limits
journal = Journal(Path(sys.argv[1]), "kraken", Limits(), time.monotonic, force=False)
for number in range(10_000_000):
    journal.write(format_line(Line(number, 1, "<", b"frame %d" % number)))
    if number % 100 == 99:
        journal._store(journal._take())
    if number == 2999:
        print("ready", flush=True)
"""


def lines(count: int, first: int = 0) -> list[bytes]:
    return [format_line(Line(number, 1, "<", os.urandom(30).hex().encode())) for number in range(first, first + count)]


def frames(path: Path) -> list[Line]:
    return [line for line in map(parse_line, CaptureFile(path)) if line is not None]


def ticks() -> Iterator[float]:
    return iter(float(number) for number in range(1000))


def test_kill_9_costs_at_most_the_last_member(tmp_path: Path) -> None:
    path = tmp_path / "kraken.jsonl.gz"
    with subprocess.Popen([sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        recorder.stdout.readline()
        recorder.send_signal(signal.SIGKILL)
    found = frames(path)
    assert len(found) >= 2900
    assert [line.data for line in found] == [b"frame %d" % number for number in range(len(found))]


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_whatever_is_cut_off_all_whole_lines_before_are_read(cut: int, tmp_path: Path) -> None:
    whole, tail = lines(50), lines(50, first=50)
    for name, pack in (("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)):
        path = tmp_path / name
        path.write_bytes(pack(b"".join(whole)) + pack(b"".join(tail))[:-cut])
        file = CaptureFile(path)
        found = list(file)
        assert found == (whole + tail)[: len(found)]
        assert len(found) >= 50
        assert file.torn > 0


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"v":1}\n{"t":1,"c":1,"d":"<","f":"x"}')
    file = CaptureFile(path)
    assert (len(list(file)), file.torn) == (2, 0)


def test_damage_before_the_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines(50))) + b"no member" + gzip.compress(b"".join(lines(50))))
    with pytest.raises(CaptureError, match="damaged near byte"):
        list(CaptureFile(path))


def test_parts_end_by_size_and_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "kraken.jsonl.gz"
    one = Journal(path, "kraken", Limits(part_bytes=500, keep=2), lambda: 0.0, force=False)
    for first in range(0, 100, 20):
        for line in lines(20, first):
            one.write(line)
        one._store(one._take())
    one.close()
    assert one.parts == 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kraken.4.jsonl.gz", "kraken.5.jsonl.gz"]
    assert [line.ts for number in (4, 5) for line in frames(part_name(path, number))] == list(range(60, 100))
    assert one.packed > sum(file.stat().st_size for file in tmp_path.iterdir())


def test_parts_end_by_age(tmp_path: Path) -> None:
    clock = ticks()
    one = Journal(tmp_path / "a.jsonl", "kraken", Limits(part_s=3), lambda: next(clock), force=False)
    for line in lines(6):
        one.write(line)
        one._store(one._take())
    one.close()
    assert one.parts == 3


class FullDisk(io.FileIO):
    """A file on a disk that takes ten bytes more."""

    taken = False

    def write(self, data: Any, /) -> int:
        if self.taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.taken = True
        return super().write(data[:10])


def test_a_full_disk_leaves_whole_members_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    one = Journal(path, "kraken", Limits(), lambda: 0.0, force=False)
    for line in lines(10):
        one.write(line)
    one._store(one._take())
    one._file.close()
    one._file = FullDisk(path, "ab")
    for line in lines(7):
        one.write(line)
    with pytest.raises(SettingsError, match="No space left on device; 10 lines are safe, 7 were lost"):
        one.close()
    assert len(frames(path)) == 10
    gzip.decompress(path.read_bytes())  # and not a byte of another member


def test_a_disk_that_does_not_keep_up_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "WAITING", 100)
    one = Journal(tmp_path / "a.jsonl", "kraken", Limits(), lambda: 0.0, force=False)
    one.write(lines(1)[0])
    with pytest.raises(SettingsError, match="as fast as kraken sends"):
        one.write(lines(1)[0])
