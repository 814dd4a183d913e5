import numpy as np

from harness.verify.consistency.packing import bits_for, contains, first_rows, packed, sorted_rows, spread, starts


def _rows(count: int, size: int) -> tuple[np.ndarray, ...]:
    chance = np.random.default_rng(3)
    return tuple(chance.integers(0, size, count) for _ in range(3))


def test_codes_up_to_their_size_fit() -> None:
    assert [bits_for(size) for size in (0, 1, 2, 3, 4, 255, 256)] == [1, 1, 2, 2, 3, 8, 9]


def test_packed_pairs_sort_like_pairs() -> None:
    pairs = [(0, 0), (0, 5), (1, 0), (1, 5), (2, 3)]
    major, minor = (np.array(column) for column in zip(*pairs, strict=True))

    assert np.all(np.diff(packed(major, minor, 5)) > 0)


def test_rows_are_sorted_alike_whether_they_fit_in_a_word_or_not() -> None:
    columns, expected = _rows(200, 6), None
    for size in (6, 2**40):
        rows = np.stack(sorted_rows(*((column, size) for column in columns)), axis=1).tolist()
        firsts = np.stack(first_rows(*((column, size) for column in columns)), axis=1).tolist()

        assert rows == sorted(np.stack(columns, axis=1).tolist())
        assert firsts == [row for place, row in enumerate(rows) if place == 0 or row[:2] != rows[place - 1][:2]]
        assert expected in (None, firsts)
        expected = firsts


def test_first_rows_are_the_same_however_many_are_sorted_at_once() -> None:
    columns = [(column, 6) for column in _rows(200, 6)]
    whole = [column.tolist() for column in first_rows(*columns)]

    for at_once in (1, 7, 199, 200):
        assert [column.tolist() for column in first_rows(*columns, at_once=at_once)] == whole


def test_starts_are_where_rows_change() -> None:
    assert starts(np.array([1, 1, 2, 2]), np.array([3, 3, 3, 4])).tolist() == [True, False, True, True]
    assert starts(np.array([], dtype=np.int64)).tolist() == []


def test_ranges_are_spread_out_in_parts_that_fit() -> None:
    low, high = np.array([0, 5, 9, 2, 7]), np.array([3, 5, 8, 6, 8])  # one is empty, one is upside down
    expected = [(0, 0), (0, 1), (0, 2), (3, 2), (3, 3), (3, 4), (3, 5), (4, 7)]

    for at_once in (1, 2, 4, 100):
        parts = list(spread(low, high, at_once=at_once))
        found = [(int(row), int(place)) for rows, places in parts for row, place in zip(rows, places, strict=True)]

        assert found == expected
        assert all(len(rows) <= max(at_once, 4) for rows, _ in parts)


def test_membership() -> None:
    assert contains(np.array([1, 4, 6]), np.array([0, 1, 5, 6, 9])).tolist() == [False, True, False, True, False]
    assert contains(np.array([], dtype=np.int64), np.array([1])).tolist() == [False]
