"""Settings: every variable's good and bad values, and defaults that work on one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import thalweg.settings
from thalweg.errors import SettingsError
from thalweg.instruments import load_instruments
from thalweg.settings import Address, Settings, load_settings


def test_without_variables_the_defaults_hold() -> None:
    assert load_settings({}) == Settings(
        instruments=load_instruments().only(),
        redis_url="redis://127.0.0.1:6379/0",
        retention_s=120.0,
        snapshot_s=30.0,
        stream_cap=200_000,
        host="127.0.0.1",
        port=8080,
        origins=(),
        hosts=("127.0.0.1", "localhost", "[::1]"),
        report=None,
        log="text",
        endpoints={},
    )


ALL = [
    "REDIS_URL",
    "REDIS_PASSWORD_FILE",
    "THALWEG_INSTRUMENTS",
    "THALWEG_VENUES",
    "THALWEG_ONLY",
    "THALWEG_RETENTION_S",
    "THALWEG_SNAPSHOT_S",
]
ALL += ["THALWEG_STREAM_CAP", "THALWEG_HOST", "THALWEG_PORT", "THALWEG_ORIGINS", "THALWEG_HOSTS", "THALWEG_REPORT"]
ALL += ["THALWEG_LOG", "THALWEG_EGRESS", "THALWEG_MAX_AGE_S", "THALWEG_BUSY_POLL", "THALWEG_KRAKEN_WS"]
ALL += ["THALWEG_CONNECTIONS", "THALWEG_CONNECTIONS_PER_IP", "THALWEG_TOKEN", "THALWEG_TOKEN_FILE"]
ALL += ["THALWEG_FEE_BPS", "THALWEG_METRICS", "THALWEG_PROGRAMS", "THALWEG_REPLAY"]


@pytest.mark.parametrize("name", ALL)
def test_an_empty_variable_says_nothing(name: str) -> None:
    """Compose files pass a variable that is not set on as an empty one."""
    assert load_settings({name: ""}) == load_settings({})


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("THALWEG_RETENTION_S", "600", "retention_s", 600.0),
        ("THALWEG_SNAPSHOT_S", "2.5", "snapshot_s", 2.5),
        ("THALWEG_SNAPSHOT_S", "60", "snapshot_s", 60.0),
        ("THALWEG_MAX_AGE_S", "3600", "max_age_s", 3600.0),
        ("THALWEG_BUSY_POLL", "1", "busy_poll", True),
        ("THALWEG_PROGRAMS", "1", "programs", True),
        ("THALWEG_METRICS", ":9100", "metrics", Address("127.0.0.1", 9100)),
        ("THALWEG_METRICS", "[::1]:9100", "metrics", Address("::1", 9100)),
        ("THALWEG_CONNECTIONS", "1000", "connections", 1000),
        ("THALWEG_CONNECTIONS_PER_IP", "1000", "connections_per_ip", 1000),
        ("THALWEG_BUSY_POLL", "0", "busy_poll", False),
        ("THALWEG_STREAM_CAP", "1000", "stream_cap", 1000),
        ("THALWEG_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("THALWEG_PORT", "0", "port", 0),
        ("THALWEG_PORT", "65535", "port", 65535),
        (
            "THALWEG_ORIGINS",
            " https://a.example , https://b.example,",
            "origins",
            ("https://a.example", "https://b.example"),
        ),
        ("THALWEG_HOSTS", "a.example", "hosts", ("a.example",)),
        ("THALWEG_REPORT", "out/report.json", "report", Path("out/report.json")),
        ("THALWEG_LOG", "json", "log", "json"),
        ("THALWEG_LOG", "text", "log", "text"),
        ("THALWEG_EGRESS", "203.0.113.7", "egress", "203.0.113.7"),
        (
            "THALWEG_FEE_BPS",
            "kraken=26, binance=7.5,bybit=0",
            "fee_bps",
            {"kraken": 26_0000, "binance": 7_5000, "bybit": 0},
        ),
    ],
)
def test_a_variable_sets_its_field(name: str, text: str, field: str, value: object) -> None:
    assert getattr(load_settings({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("THALWEG_RETENTION_S", text) for text in ("0", "-1", "x", "nan", "inf", "1e13", "1_000", "٣", " ")),
        *(("THALWEG_SNAPSHOT_S", text) for text in ("0", "-1", "x", "nan", "61")),
        *(
            ("THALWEG_STREAM_CAP", text)
            for text in ("0", "-1", "0.5", "1.5", "1e5", "x", "nan", "1_000", "٣", "9" * 5000)
        ),
        *(("THALWEG_PORT", text) for text in ("65536", "-1", "x", "80.0", "٣", "²", " 80", "8_0", "9" * 5000)),
        *(("THALWEG_LOG", text) for text in ("JSON", "yaml")),
        *(("THALWEG_KRAKEN_WS", text) for text in ("http://h", "kraken", "wss:/h", "ws://", "wss://:80/")),
        *(("THALWEG_BYBIT_WS", text) for text in ("ws://h:x", "ws://h:99999", "ws://[::1")),
        *(("THALWEG_BINANCE_REST", text) for text in ("ws://h", "ftp://h", "127.0.0.1:9900", "https://")),
        ("THALWEG_INSTRUMENTS", "/nowhere/instruments.toml"),
        ("THALWEG_ONLY", "BTC-EUR"),
        ("THALWEG_ONLY", "BTC-USD,btc-usdt"),
        ("THALWEG_VENUES", "binanse"),
        *(
            ("THALWEG_FEE_BPS", text)
            for text in ("kraken", "kraken=", "kraken=x", "kraken=-1", "krakn=1", "=1", "kraken=1001")
        ),
        *(("THALWEG_FEE_BPS", text) for text in ("kraken=1,kraken=2", "kraken=0.00001", "kraken=26%", "26")),
    ],
)
def test_a_bad_value_is_refused_with_its_variable_or_what_is_unknown(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: text})
    told = str(caught.value)
    assert name in told or f"unknown {'venue' if name.endswith('VENUES') else 'instrument'}" in told or text in told
    assert len(told) < 400
    assert "\n" not in told


def test_snapshots_come_at_least_twice_in_a_retention() -> None:
    assert load_settings({"THALWEG_RETENTION_S": "20", "THALWEG_SNAPSHOT_S": "10"}).snapshot_s == 10.0
    with pytest.raises(SettingsError, match=r"SNAPSHOT_S \(11\) must be at most half of THALWEG_RETENTION_S \(20\)"):
        load_settings({"THALWEG_RETENTION_S": "20", "THALWEG_SNAPSHOT_S": "11"})


def test_a_short_retention_alone_is_no_contradiction() -> None:
    """The default of the snapshots' interval gives way; only one that was set can contradict."""
    assert load_settings({"THALWEG_RETENTION_S": "20"}).snapshot_s == 10.0


def test_instruments_and_venues_are_chosen_by_name() -> None:
    settings = load_settings({"THALWEG_ONLY": "BTC-USD, BTC-USDT", "THALWEG_VENUES": "kraken,binance"})
    assert {name: [*one.symbols] for name, one in settings.instruments.by_name.items()} == {
        "BTC-USD": ["kraken"],
        "BTC-USDT": ["binance", "kraken"],
    }


def test_a_list_of_nothing_says_nothing() -> None:
    assert load_settings({"THALWEG_ONLY": " , ", "THALWEG_VENUES": ","}) == load_settings({})


def test_an_instruments_file_of_ones_own_replaces_the_one_that_ships(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[A-USD]\nkraken = "A/USD"\n')
    assert list(load_settings({"THALWEG_INSTRUMENTS": str(path)}).instruments.by_name) == ["A-USD"]


def test_endpoints_are_kept_by_venue_and_kind() -> None:
    settings = load_settings(
        {
            "THALWEG_KRAKEN_WS": "ws://127.0.0.1:9900/kraken/",
            "THALWEG_BINANCE_REST": "https://api.example",
            "THALWEG_TWO_WORDS_WS": "wss://[::1]:443",
            "THALWEG_WS": "not of a venue",
            "OTHER_KRAKEN_REST": "not ours",
        }
    )
    assert settings.endpoints == {
        ("kraken", "ws"): "ws://127.0.0.1:9900/kraken",
        ("binance", "rest"): "https://api.example",
        ("two_words", "ws"): "wss://[::1]:443",
    }
    assert settings.endpoint("kraken", "ws", "wss://live") == "ws://127.0.0.1:9900/kraken"
    assert settings.endpoint("kraken", "rest", "https://live") == "https://live"


def test_every_variable_of_the_table_is_tested_here() -> None:
    table = (thalweg.settings.__doc__ or "").replace("<VENUE>", "KRAKEN")
    documented = set(re.findall(r"`((?:THALWEG|REDIS)_\w+)`", table))
    assert documented - {"THALWEG_KRAKEN_REST"} == set(ALL)


TOKEN = "not-so-very-secret"


def test_a_token_is_read_from_the_environment_or_a_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n", encoding="ascii")
    for environ in ({"THALWEG_TOKEN": TOKEN}, {"THALWEG_TOKEN_FILE": str(file)}):
        settings = load_settings(environ)
        assert settings.token == TOKEN
        assert TOKEN not in repr(settings)


@pytest.mark.parametrize("token", ["short", "x" * 257, "sixteen bytes, but", "slashes/are/not-allowed", "\u20ac" * 20])
def test_a_token_that_cannot_be_sent_is_refused_unnamed(token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")
    for environ in ({"THALWEG_TOKEN": token}, {"THALWEG_TOKEN_FILE": str(file)}):
        with pytest.raises(SettingsError) as refused:
            load_settings(environ)
        assert token not in str(refused.value)


def test_a_token_is_set_once_and_a_named_file_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for environ in (
        {"THALWEG_TOKEN": TOKEN, "THALWEG_TOKEN_FILE": "x"},
        {"THALWEG_TOKEN_FILE": str(tmp_path / "none")},
        {"THALWEG_TOKEN_FILE": str(tmp_path / "empty")},
    ):
        with pytest.raises(SettingsError):
            load_settings(environ)


def test_the_password_in_a_file_goes_into_the_url_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cr/t@:%\n", encoding="ascii")
    environ = {"REDIS_URL": "rediss://reader@cache:6379/0?ssl_ca_certs=ca.pem", "REDIS_PASSWORD_FILE": str(file)}
    settings = load_settings(environ)
    assert settings.redis_url == "rediss://reader:s3cr%2Ft%40%3A%25@cache:6379/0?ssl_ca_certs=ca.pem"
    assert "s3cr" not in repr(settings)


@pytest.mark.parametrize("url", ["", "redis://cache:6379/0", "redis://reader:known@cache:6379/0"])
def test_a_password_in_a_file_needs_a_user_without_one(url: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a-secret", encoding="ascii")
    with pytest.raises(SettingsError, match="needs a user and no password") as refused:
        load_settings({"REDIS_URL": url, "REDIS_PASSWORD_FILE": str(file)})
    assert "a-secret" not in str(refused.value)


def test_a_password_in_a_file_for_no_url_is_refused_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a-secret", encoding="ascii")
    with pytest.raises(SettingsError, match="REDIS_URL: Invalid IPv6 URL"):
        load_settings({"REDIS_URL": "redis://reader@[cache:6379/0", "REDIS_PASSWORD_FILE": str(file)})


def test_an_empty_or_missing_password_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "none"):
        with pytest.raises(SettingsError, match="REDIS_PASSWORD_FILE"):
            load_settings({"REDIS_URL": "redis://reader@cache/0", "REDIS_PASSWORD_FILE": str(tmp_path / name)})
