"""JSON lists are read one record at a time, in pieces of any size."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.sources.xtream import json_list
from streamflow.sources.xtream.json_list import InvalidListError, JsonList, Undecodable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


def read(text: str | bytes) -> list[object]:
    return list(JsonList(io.BytesIO(text.encode() if isinstance(text, str) else text)).records())


@given(st.lists(VALUES, max_size=5), st.integers(1, 30), st.sampled_from([None, 2]))
def test_a_list_is_read_in_pieces_of_any_size(values: list[object], size: int, indent: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_list, "PIECE_BYTES", size)
        assert read(json.dumps(values, indent=indent)) == values
        keyed = {str(key): value for key, value in enumerate(values)}
        assert read(json.dumps(keyed, indent=indent, ensure_ascii=False)) == values


def test_a_broken_record_leaves_the_others() -> None:
    found = read('[{"a": 1}, {"b": ' + "9" * 5000 + '}, {"c": [1 2], "}": {}}, {"d": "}"}]')
    assert found == [{"a": 1}, Undecodable("ValueError"), Undecodable("JSONDecodeError"), {"d": "}"}]


@pytest.mark.parametrize("text", ["", " ", "<html>", '{"a"', '{"a" 1}', "[1, 2", "[1 2]", "[oops]", "nil", '["a', "12"])
def test_a_text_that_is_not_a_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidListError):
        read(text)


@given(st.text(st.sampled_from('[]{}",:\\ 1a'), max_size=40))
def test_any_text_is_read_to_its_end_or_refused(text: str) -> None:
    try:
        read(text)
    except InvalidListError:
        return


def test_a_long_list_takes_little_memory() -> None:
    text = b"[" + b",".join(b'{"stream_id": %d, "name": "%s"}' % (i, b"x" * 200) for i in range(50_000)) + b"]"
    file = io.BytesIO(text)
    tracemalloc.start()
    assert sum(1 for _ in JsonList(file).records()) == 50_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
