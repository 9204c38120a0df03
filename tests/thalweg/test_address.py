"""The forms of REDIS_URL: one server, a Cluster, Sentinels; with and without TLS, logins and options."""

from __future__ import annotations

import pytest

from thalweg.address import Form, parse_address
from thalweg.errors import SettingsError


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://u:p@h", "unix:///run/redis.sock?db=0", "", "x"])
def test_one_server_s_url_stays_as_it_is(url: str) -> None:
    found = parse_address(url)
    assert (found.form, found.first) == (Form.SERVER, url)


def test_a_cluster_s_nodes_have_all_that_its_url_has() -> None:
    found = parse_address("rediss+cluster://me:p%40ss@a:7001,b,[::1]:7003/0?ssl_ca_certs=/ca.pem")
    assert found.form is Form.CLUSTER
    assert found.hosts == (("a", 7001), ("b", 6379), ("::1", 7003))
    assert found.server("::1", 7003) == "rediss://me:p%40ss@[::1]:7003?ssl_ca_certs=/ca.pem"


def test_a_sentinel_is_asked_without_our_login_and_the_master_with_it() -> None:
    found = parse_address("redis+sentinel://me:secret@s1,s2:26380/mymaster/3?ssl_ca_certs=/ca.pem")
    assert (found.form, found.master) == (Form.SENTINEL, "mymaster")
    assert found.hosts == (("s1", 26379), ("s2", 26380))
    assert found.sentinel("s1", 26379) == "redis://s1:26379?ssl_ca_certs=/ca.pem"
    assert found.server("m", 6379) == "redis://me:secret@m:6379/3?ssl_ca_certs=/ca.pem"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+cluster://", "not HOST:PORT"),
        ("redis+cluster://a:7001,", "not HOST:PORT"),
        ("redis+cluster://a:port", "not HOST:PORT"),
        ("redis+cluster://a:0", "not HOST:PORT"),
        ("redis+cluster://a:7001/1", "one database"),
        ("redis+sentinel://a:26379", "the master's name is missing"),
        ("redis+ring://a", "is no form of it"),
        ("unix+cluster:///path", "is no form of it"),
    ],
)
def test_what_is_no_url_is_refused_with_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_address(url)
