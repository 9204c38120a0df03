"""Alerts, dashboard and document name what the services really show, and every service that there is to scrape."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.observability.showing import shown

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
PARTS = re.compile(r"_(?:bucket|sum|count)$")


def test_alerts_and_dashboard_name_only_what_is_shown() -> None:
    known = shown()
    for name in ("rules.yml", "rules_test.yml", "grafana/dashboards/thalweg.json"):
        asked = set(re.findall(r"\bthalweg_[a-z0-9_]+", (FOLDER / name).read_text()))
        unknown = {one for one in asked if one not in known and PARTS.sub("", one) not in known}
        assert len(asked) > 10
        assert unknown == set()


def test_every_alert_is_tested_and_explained() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", (FOLDER / "rules.yml").read_text()))
    assert set(re.findall(r"alertname: (\w+)", (FOLDER / "rules_test.yml").read_text())) == alerts
    assert set(re.findall(r"^\| `(Thalweg\w+)`", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)) == alerts


def test_the_alerts_fire_and_clear() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on PATH; Debian's package `prometheus` has it")
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_document_has_every_metric_and_no_other() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(thalweg_\w+)` \| (\w+) \| ([^|]+) \|", text, re.MULTILINE)
    assert {name: (kind, what.strip()) for name, kind, what in rows} == shown()


def test_prometheus_looks_for_every_service_that_shows_metrics() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    services = set(re.findall(r"^  ((?:ingest|demo)-\w+):", compose, re.MULTILINE)) | {
        "aggregator",
        "gateway",
        "redis-init",
    }
    config = (FOLDER / "prometheus.yml").read_text()
    named = set(re.findall(r"^ {10}- ([\w-]+)$", config, re.MULTILINE)) | set(
        re.findall(r"names: \[([\w-]+)\]", config)
    )
    assert named == services


def test_the_dashboard_is_what_its_table_makes() -> None:
    spec = importlib.util.spec_from_file_location("dashboard", FOLDER / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == module.FILE.read_text(encoding="utf-8")
