"""What is kept is what was used lately, never more than the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.recent import Recent


def test_what_was_asked_for_longest_ago_goes_first():
    kept: Recent[str, int] = Recent(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    assert kept.get("a") == 1
    kept.keep("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_the_heaviest_load_is_bounded_and_one_value_too_heavy_is_not_kept():
    kept: Recent[str, int] = Recent(10, 100)
    kept.keep("a", 1, 60)
    kept.keep("b", 2, 40)
    kept.keep("c", 3, 1)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, 2, 3)
    kept.keep("d", 4, 101)
    assert [kept.get(name) for name in "bcd"] == [None, None, None]


def test_with_room_for_none_nothing_is_kept():
    kept: Recent[str, int] = Recent(0)
    kept.keep("a", 1)
    assert kept.get("a") is None


def test_cleared_it_holds_nothing_and_has_its_whole_room_again():
    kept: Recent[str, int] = Recent(2, 10)
    kept.keep("a", 1, 10)
    kept.clear()
    assert kept.get("a") is None
    kept.keep("b", 2, 10)
    assert kept.get("b") == 2


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.booleans()), max_size=60),
    st.integers(0, 5),
    st.integers(0, 60),
)
def test_it_never_holds_more_than_its_bounds_nor_another_value(steps, most, weight):
    kept: Recent[int, int] = Recent(most, weight)
    last = {}
    for key, size, keeps in steps:
        if keeps:
            kept.keep(key, size, size)
            last[key] = size
        else:
            assert kept.get(key) in {None, last.get(key)}
        held = {key: kept.get(key) for key in range(10)}
        assert sum(value is not None for value in held.values()) <= most
        assert sum(filter(None, held.values())) <= weight
        assert all(value in {None, last.get(key)} for key, value in held.items())
