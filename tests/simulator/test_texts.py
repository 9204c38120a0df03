from simulator.texts import padded, rfc3339, trimmed


def test_padded_numbers_keep_their_trailing_zeros() -> None:
    assert padded(6_280_700_000_000, 1) == "62807.0"
    assert padded(50_930_100, 8) == "0.50930100"
    assert padded(300_000_000, 0) == "3"
    assert padded(0, 8) == "0.00000000"


def test_trimmed_numbers_are_shortest() -> None:
    assert [trimmed(value) for value in (0, 50_000_000, 1, 6_523_900_000_000)] == ["0", "0.5", "0.00000001", "65239"]


def test_instants_are_cut_not_rounded() -> None:
    assert rfc3339(1_786_924_623_708_706_999) == "2026-08-16T23:57:03.708706Z"
    assert rfc3339(1_786_924_623_000_000_001, 9) == "2026-08-16T23:57:03.000000001Z"
