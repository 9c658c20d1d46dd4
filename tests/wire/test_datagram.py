"""Questions over UDP, and which datagrams answer them."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.probes.ports import listed
from tlscheck.wire import datagram

TOKEN = bytes(range(1, 17))
PORTS = [port for port in listed()["udp"] if datagram.question(port, TOKEN)]


@pytest.mark.parametrize("port", PORTS)
def test_a_question_is_small_and_its_answer_known(port: int) -> None:
    question = datagram.question(port, TOKEN)
    assert question
    assert len(question.payload) <= 320 or question.service == "quic"
    assert b"public" not in question.payload


@pytest.mark.parametrize("port", PORTS)
@given(answer=st.binary(max_size=80))
def test_whatever_comes_nothing_breaks(port: int, answer: bytes) -> None:
    question = datagram.question(port, TOKEN)
    assert question
    assert question.answers(answer) in (True, False)


def test_the_name_asked_for_exists_nowhere() -> None:
    question = datagram.question(53, TOKEN)
    assert question
    asked = dns.message.from_wire(question.payload)
    assert asked.question[0].name.to_text() == "tlscheck.invalid."
    assert question.answers(dns.message.make_response(asked).to_wire())
    assert not question.answers(question.payload)


@pytest.mark.parametrize("port", [53, 111, 123, 3478, 443])
def test_the_answer_to_another_question_is_none(port: int) -> None:
    mine, other = datagram.question(port, TOKEN), datagram.question(port, bytes(16))
    assert mine
    assert other
    # What a server repeats of the question of somebody else.
    assert not mine.answers(bytes([0x80 | other.payload[0]]) + other.payload[1:])
