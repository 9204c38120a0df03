"""What a server's refusals mean."""

from __future__ import annotations

import pytest

from thalweg.refusals import REFUSALS, code_of, explain


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", None, "OOM"),
        ("command not allowed when used memory > 'maxmemory'.", "OOM", "OOM"),
        ("Transaction discarded because of: OOM command not allowed when ...", "EXECABORT", "OOM"),
        ("You can't write against a read only replica.", "READONLY", "READONLY"),
        ("MISCONF Redis is configured to save RDB snapshots, but ...", None, "MISCONF"),
        ("max number of clients reached", None, "max number of clients"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", None, None),
        ("unknown command 'ROOMY'", "ERR", None),
    ],
)
def test_a_refusal_is_known_by_the_client_s_word_or_its_own(text: str, said: str | None, code: str | None) -> None:
    assert code_of(text, said) == code
    assert explain(text, said) == (f"{text} ({REFUSALS[code].advice})" if code else text)
