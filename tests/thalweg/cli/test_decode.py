"""`thalweg decode` as a command: what a file that is cut off still gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from click.testing import CliRunner

from thalweg.cli.decode import command

LINE = json.dumps({"t": 1, "c": 1, "d": "<", "f": '{"channel":"heartbeat"}'}).encode() + b"\n"


def test_a_file_cut_off_in_a_line_counts_up_to_there_and_is_said(tmp_path: Path) -> None:
    capture = tmp_path / "cut.jsonl"
    capture.write_bytes(LINE * 3 + LINE[:20])
    result = CliRunner().invoke(command, ["kraken", str(capture), "--stats"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["frames"] == 3
    assert "line 4" in result.stderr


def test_a_packed_file_cut_off_counts_up_to_there_and_is_said(tmp_path: Path) -> None:
    capture = tmp_path / "cut.jsonl.gz"
    lines = b"".join(LINE.replace(b'"t": 1', b'"t": %d' % k) for k in range(20_000))
    packed = gzip.compress(lines)
    capture.write_bytes(packed[: len(packed) // 2])
    result = CliRunner().invoke(command, ["kraken", str(capture), "--stats"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["frames"] > 0
    assert "ended before" in result.stderr


def test_an_unknown_venue_names_the_known_ones() -> None:
    result = CliRunner().invoke(command, ["nowhere"])
    assert result.exit_code == 2
    assert "known: binance" in result.stderr
