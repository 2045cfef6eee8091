"""The control socket's messages: any bytes are either a message or a ProtocolError."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.control.protocol import (
    REQUEST_BYTES_MAX,
    Answer,
    ProtocolError,
    Request,
    Why,
    read_answer,
    read_request,
    write_answer,
    write_request,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.builds(Request, id=st.integers(0, 2**53 - 1), do=st.text(), arguments=st.dictionaries(st.text(), JSON, max_size=3)))
def test_a_request_is_one_line_and_reads_as_it_was_written(request_: Request) -> None:
    line = write_request(request_)
    assert line.count(b"\n") == 1
    assert read_request(line) == request_


@given(st.builds(Answer, id=st.integers(0, 2**53 - 1), result=JSON, is_more=st.booleans()))
def test_an_answer_is_one_line_and_reads_as_it_was_written(answer: Answer) -> None:
    line = write_answer(answer)
    assert line.count(b"\n") == 1
    assert read_answer(line) == answer


@pytest.mark.parametrize("why", Why)
def test_a_refusal_keeps_its_kind_and_its_text(why: Why) -> None:
    assert read_answer(write_answer(Answer(id=3, why=why, text="né\nx"))) == Answer(id=3, why=why, text="né\nx")


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    for read in (read_request, read_answer):
        with contextlib.suppress(ProtocolError):
            read(line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{}", '"do"'),
        (b'{"do":"status"}', '"id"'),
        (b'{"id":true,"do":"status"}', '"id"'),
        (b'{"id":-1,"do":"status"}', '"id"'),
        (b'{"id":1,"do":"status","with":[]}', '"with"'),
        (b'{"id":1,"do":"status","extra":1}', "extra"),
        (b"[" * 100_000, "longer than"),
        (b"[" * 30_000, "not JSON"),
        (b'"' + b"x" * REQUEST_BYTES_MAX + b'"', "longer than"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(line: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        read_request(line)
