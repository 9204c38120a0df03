from __future__ import annotations

import pytest

from gateway.admission import Allowance, Doorkeeper, Verdict, is_everywhere, is_loopback, origin_allowed
from gateway.protocol import Close

S = 1_000_000_000


@pytest.mark.parametrize(
    ("origin", "loopback", "allowed"),
    [
        (None, True, True),
        (None, False, False),
        ("http://127.0.0.1:8080", False, True),
        ("https://127.0.0.1:8080", False, True),
        ("HTTP://127.0.0.1:8080", False, True),
        ("http://127.0.0.1:8081", True, False),
        ("http://127.0.0.1", True, False),
        ("http://evil.example", True, False),
        ("http://127.0.0.1:8080.evil.example", True, False),
        ("http://evil.example/127.0.0.1:8080", True, False),
        ("http://user@127.0.0.1:8080", True, False),
        ("https://books.example.org", False, True),
        ("http://books.example.org", False, False),
        ("null", True, False),
        ("", True, False),
        ("file://127.0.0.1:8080", True, False),
    ],
)
def test_an_origin_must_be_ours_or_allowed(origin: str | None, loopback: bool, allowed: bool) -> None:
    assert origin_allowed(origin, "127.0.0.1:8080", ("https://books.example.org",), loopback) is allowed


def test_a_malformed_origin_is_refused() -> None:
    assert not origin_allowed("http://[", "127.0.0.1:8080", (), True)


def test_an_origin_without_a_host_to_compare_is_refused() -> None:
    assert not origin_allowed("http://", None, (), True)
    assert not origin_allowed("http://", "", (), True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False)],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "everywhere"),
    [("0.0.0.0", True), ("::", True), ("[::]", True), ("", True), ("127.0.0.1", False), ("gateway", False)],
)
def test_addresses_that_are_all_of_them_are_told_apart(host: str, everywhere: bool) -> None:
    assert is_everywhere(host) is everywhere


def test_connections_of_one_address_are_limited_and_given_back() -> None:
    door = Doorkeeper(10, 3)
    assert [door.enter("a") for _ in range(4)][-1] is Close.CONNECTION_LIMIT
    assert door.enter("b") is None
    door.leave("a")
    assert door.enter("a") is None


def test_connections_of_the_node_are_limited() -> None:
    door = Doorkeeper(10, 3)
    answers = [door.enter(str(n // 3)) for n in range(11)]
    assert set(answers[:-1]) == {None}
    assert answers[-1] is Close.OVERLOADED


def test_requests_are_limited_to_a_burst_and_a_rate() -> None:
    allowance, verdict = Allowance(0), Verdict.SERVED
    assert [allowance.take(0) for _ in range(21)] == [verdict] * 20 + [Verdict.LATER]
    assert [allowance.take(2 * S) for _ in range(20)] == [verdict] * 19 + [Verdict.LATER]
    assert [allowance.take(1000 * S) for _ in range(21)] == [verdict] * 20 + [Verdict.LATER]


def test_who_does_not_heed_a_refusal_floods() -> None:
    allowance = Allowance(0)
    verdicts = [allowance.take(0) for _ in range(41)]
    assert verdicts == [Verdict.SERVED] * 20 + [Verdict.LATER] * 20 + [Verdict.FLOOD]
