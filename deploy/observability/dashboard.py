"""The Grafana dashboard as a table of rows and panels; `python deploy/observability/dashboard.py` writes its JSON.

A test compares the file with what this makes, and every metric named here with what the services show.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "grafana" / "dashboards" / "thalweg.json"
SOURCE = {"type": "prometheus", "uid": "thalweg-prometheus"}
RATE = "$__rate_interval"


def quantiles(metric: str, by: str, where: str = "") -> list[tuple[str, str]]:
    """Give the queries of three percentiles of a histogram, by a label."""
    rate = f"sum by (le, {by}) (rate({metric}_bucket{{{where}}}[{RATE}]))"
    return [(f"histogram_quantile({part}, {rate})", f"{{{{{by}}}}} p{part * 100:g}") for part in (0.5, 0.95, 0.99)]


Panel = tuple[str, str, str, list[tuple[str, str]]]
"""Title, kind, unit, and queries with their legends."""
ROWS: list[tuple[str, list[Panel]]] = [
    ("Health", [
        ("Books live", "stat", "none",
         [('sum(max by (venue, instrument) (thalweg_book_state{state="live"}))', "live")]),
        ("Alerts firing", "stat", "none", [('count(ALERTS{alertstate="firing"}) or vector(0)', "firing")]),
        ("Targets up", "stat", "none", [("sum(up)", "up"), ("count(up)", "of")]),
        ("Parts heard", "state", "none", [("max by (part) (thalweg_part_up)", "{{part}}")]),
        ("Live books by venue", "lines", "none",
         [('sum by (venue) (max by (venue, instrument) (thalweg_book_state{state="live"}))', "{{venue}}")]),
        ("Shards by role", "lines", "none",
         [("sum by (role) (thalweg_ingest_shards)", "ingest {{role}}"),
          ("sum by (role) (thalweg_aggregator_shards)", "aggregator {{role}}")]),
    ]),
    ("Ingest", [
        ("Frames", "lines", "ops", [(f"sum by (venue) (rate(thalweg_ingest_frames_total[{RATE}]))", "{{venue}}")]),
        ("Entries appended", "lines", "ops",
         [(f"sum by (venue) (rate(thalweg_ingest_appended_total[{RATE}]))", "{{venue}}")]),
        ("Gaps and resyncs", "lines", "short",
         [(f"sum by (venue) (increase(thalweg_ingest_gaps_total[{RATE}]))", "{{venue}} gaps"),
          (f"sum by (venue) (increase(thalweg_ingest_resyncs_total[{RATE}]))", "{{venue}} resyncs")]),
        ("Bad frames and checksums", "lines", "short",
         [(f"sum by (venue) (increase(thalweg_ingest_bad_frames_total[{RATE}]))", "{{venue}} frames"),
          (f'sum by (venue) (increase(thalweg_ingest_checksums_total{{result="bad"}}[{RATE}]))',
           "{{venue}} checksums")]),
        ("Dropped", "lines", "ops",
         [(f"sum by (venue, reason) (rate(thalweg_ingest_dropped_total[{RATE}])) > 0", "{{venue}} {{reason}}")]),
        ("Venue clock against ours", "lines", "s",
         [("max by (venue) (thalweg_venue_clock_skew_seconds)", "{{venue}}")]),
    ]),
    ("Books", [
        ("Not live", "state", "none",
         [('max by (venue, instrument) (thalweg_book_state{state!="live"}) == 1', "{{venue}} {{instrument}}")]),
        ("Oldest change by venue", "lines", "s", [("max by (venue) (thalweg_book_age_seconds)", "{{venue}}")]),
        ("Publications", "lines", "ops",
         [(f"sum by (instrument) (rate(thalweg_aggregator_published_total[{RATE}]))", "{{instrument}}")]),
    ]),
    ("Hops", [
        ("Socket to browser", "heatmap", "s",
         [(f'sum by (le) (increase(thalweg_hop_duration_seconds_bucket{{hop="total"}}[{RATE}]))', "{{le}}")]),
        ("Socket to browser", "lines", "s", quantiles("thalweg_hop_duration_seconds", "hop", 'hop="total"')),
        ("All hops, p99", "lines", "s", quantiles("thalweg_hop_duration_seconds", "hop")[2:]),
        ("Engine", "lines", "s", quantiles("thalweg_hop_duration_seconds", "service", 'hop="engine"')),
    ]),
    ("Gateway", [
        ("Clients", "lines", "none",
         [("sum(thalweg_gateway_connections)", "WebSocket"), ("sum(thalweg_gateway_event_streams)", "event streams")]),
        ("Sent", "lines", "Bps",
         [(f"sum by (encoding) (rate(thalweg_gateway_sent_bytes_total[{RATE}]))", "{{encoding}}")]),
        ("Slow clients", "lines", "short",
         [(f"sum by (reason) (increase(thalweg_gateway_slow_clients_total[{RATE}]))", "{{reason}}"),
          (f"sum by (code) (increase(thalweg_gateway_closes_total[{RATE}]))", "closed {{code}}")]),
        ("Unsent", "lines", "bytes",
         [("sum(thalweg_gateway_write_buffer_bytes)", "all"),
          ("max(thalweg_gateway_write_buffer_max_bytes)", "worst")]),
    ]),
    ("Redis", [
        ("Memory", "lines", "bytes",
         [("thalweg_redis_memory_bytes", "used {{node}}"),
          ("thalweg_redis_memory_needed_bytes", "needed at most {{node}}"),
          ("thalweg_redis_memory_limit_bytes > 0", "limit {{node}}")]),
        ("Commands", "lines", "ops", [(f"rate(thalweg_redis_commands_total[{RATE}])", "commands {{node}}")]),
        ("Connections", "lines", "none", [("thalweg_redis_clients", "connections {{node}}")]),
        ("Append-only file", "lines", "bytes", [("thalweg_redis_log_bytes", "size {{node}}")]),
    ]),
    ("Processes", [
        ("Processor", "lines", "percentunit",
         [(f"sum by (job, instance) (rate(process_cpu_seconds_total[{RATE}]))", "{{job}} {{instance}}")]),
        ("Memory", "lines", "bytes", [("process_resident_memory_bytes", "{{job}} {{instance}}")]),
        ("Event loop lag, p99", "lines", "s", quantiles("thalweg_event_loop_lag_seconds", "service")[2:]),
        ("Files open", "lines", "none", [("process_open_fds", "{{job}} {{instance}}")]),
    ]),
]  # fmt: skip
KINDS = {"lines": "timeseries", "stat": "stat", "state": "state-timeline", "heatmap": "heatmap"}
WIDTH, HEIGHT, ACROSS = 8, 7, 3


def panel(number: int, place: dict[str, int], one: Panel) -> dict[str, Any]:
    """Give a panel as Grafana has it."""
    title, kind, unit, queries = one
    targets = [
        {"refId": chr(65 + at), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
        | ({"format": "heatmap"} if kind == "heatmap" else {})
        for at, (expr, legend) in enumerate(queries)
    ]
    options: dict[str, Any] = {"tooltip": {"mode": "multi", "sort": "desc"}} if kind == "lines" else {}
    return {
        "id": number, "type": KINDS[kind], "title": title, "datasource": SOURCE, "gridPos": place, "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []}, "options": options,
    }  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Give the whole dashboard."""
    panels, y = list[dict[str, Any]](), 0
    for title, row in ROWS:
        place = {"x": 0, "y": y, "w": WIDTH * ACROSS, "h": 1}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        )
        for at, one in enumerate(row):
            where = {"x": at % ACROSS * WIDTH, "y": y + 1 + at // ACROSS * HEIGHT, "w": WIDTH, "h": HEIGHT}
            panels.append(panel(len(panels) + 1, where, one))
        y += 1 + -(-len(row) // ACROSS) * HEIGHT
    return {
        "uid": "thalweg", "title": "thalweg", "tags": ["thalweg"], "timezone": "browser", "schemaVersion": 39,
        "editable": False, "refresh": "5s", "time": {"from": "now-15m", "to": "now"}, "panels": panels,
        "templating": {"list": []}, "annotations": {"list": []},
    }  # fmt: skip


def text() -> str:
    """Give it as the file has it."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
