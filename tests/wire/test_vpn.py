"""First words of OpenVPN, SSTP and IKE over TCP, and what counts as an answer to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.wire import head, iketcp, murmur, openvpn, sstp
from tlscheck.wire.codec import DecodeError, Reader

SESSION = bytes(range(1, 9))
ANSWER = b"\x40" + b"S" * 8 + b"\x01" + bytes(4) + SESSION + bytes(4)
"""As OpenVPN 2.6.14 gives it: 26 octets."""


def test_a_hard_reset_is_fourteen_octets() -> None:
    packet = openvpn.reset(SESSION)
    assert packet == bytes.fromhex("38 0102030405060708 00 00000000")
    assert openvpn.framed(packet) == b"\x00\x0e" + packet


def test_an_answer_acknowledges_our_session() -> None:
    assert len(ANSWER) == 26
    assert openvpn.answers(ANSWER, SESSION)
    several = b"\x40" + b"S" * 8 + b"\x02" + bytes(8) + SESSION + bytes(4)
    assert openvpn.answers(several, SESSION)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        openvpn.reset(SESSION),  # an echo
        ANSWER[:-1],
        ANSWER.replace(SESSION, b"another!"),
        b"\x38" + ANSWER[1:],
        b"\x41" + ANSWER[1:],  # a later key
        b"\x40" + SESSION + b"\x00" + bytes(4),  # nothing acknowledged
        b"\x40" + b"S" * 8 + b"\xff" + bytes(4 * 255) + SESSION + bytes(4),
    ],
)
def test_what_is_no_answer(packet: bytes) -> None:
    assert not openvpn.answers(packet, SESSION)


@given(st.binary(max_size=64))
def test_any_datagram_may_come(data: bytes) -> None:
    assert openvpn.answers(data, SESSION) in (False, SESSION in data)


def test_a_stream_cut_anywhere_gives_the_same_packet() -> None:
    stream = openvpn.framed(ANSWER) + b"more"
    for cut in range(len(stream)):
        assert openvpn.unframed(stream[:cut]) in (None, ANSWER)
    assert openvpn.unframed(stream) == ANSWER


@pytest.mark.parametrize("data", [b"\x00\x00", b"\xff\xff", b"HTTP/1.1 400", b"\x15\x03\x01\x00"])
def test_lengths_that_no_server_sends(data: bytes) -> None:
    with pytest.raises(DecodeError):
        openvpn.unframed(data)


# ---- heads, and SSTP -------------------------------------------------------------------------

ACCEPTED = (
    b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\n"
    b"Server: Microsoft-HTTPAPI/2.0\r\nDate: Fri, 20 Nov 2026 00:00:00 GMT\r\n\r\n"
)


def test_the_question_of_sstp() -> None:
    lines = sstp.question("vpn.example:8443", "tlscheck").split(b"\r\n")
    assert lines[0] == b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1"
    assert set(lines[1:4]) == {
        b"Host: vpn.example:8443",
        b"User-Agent: tlscheck",
        b"Content-Length: 18446744073709551615",
    }
    assert lines[4:] == [b"", b""]


def test_a_head_cut_anywhere_is_the_same() -> None:
    whole = head.read(ACCEPTED + b"\x10\x01")
    assert whole
    assert (whole.status, whole.all("server")) == (200, ("Microsoft-HTTPAPI/2.0",))
    for cut in range(len(ACCEPTED)):
        assert head.read(ACCEPTED[:cut]) is None
    assert sstp.answered(whole) is True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 405 Not Allowed\r\nServer: nginx\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", False),
        (b"HTTP/1.0 404\r\nContent-Length: 18446744073709551615\r\n\r\n", False),
        # Our own words, sent back.
        (b"HTTP/1.1 200 OK\r\n" + sstp.question("a", "b").partition(b"\r\n")[2], None),
        (b"HTTP/1.1 200 OK\n\n", False),
    ],
)
def test_other_answers_to_sstp(answer: bytes, expected: bool | None) -> None:
    found = head.read(answer)
    assert found
    assert sstp.answered(found) is expected


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 999 X\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a" * head.LIMIT,
    ],
)
def test_what_is_no_head(data: bytes) -> None:
    with pytest.raises(DecodeError):
        head.read(data)


@given(st.binary(max_size=300))
def test_any_bytes_may_be_a_head(data: bytes) -> None:
    for stream in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            found = head.read(stream)
        except DecodeError:
            continue
        if found is not None:
            sstp.answered(found)


def test_nothing_breaks_out_of_a_request() -> None:
    assert head.request("GET", "/\u00e9", ()).startswith(b"GET /? HTTP/1.1\r\n")


# ---- IKE over TCP ----------------------------------------------------------------------------

SPI, KEY, NONCE = b"initiate", b"k" * iketcp.KEY, b"n" * iketcp.NONCE


def message(spi: bytes = SPI, exchange: int = 34, flags: int = 0x20, version: int = 0x20) -> bytes:
    """A gateway's INVALID_KE_PAYLOAD."""
    notify = bytes.fromhex("0000000a 0000 0011 0013".replace(" ", ""))
    head_ = spi + bytes(8) + bytes((41, version, exchange, flags)) + bytes(4)
    inner = bytes(4) + head_ + (28 + len(notify)).to_bytes(4) + notify
    return (2 + len(inner)).to_bytes(2) + inner


def test_the_question_of_ike_is_whole() -> None:
    question = iketcp.question(SPI, KEY, NONCE)
    assert question[:6] == b"IKETCP"
    assert int.from_bytes(question[6:8]) == len(question) - 6
    assert question[8:12] == bytes(4)
    ike = Reader(question[12:])
    assert ike.take(8) == SPI
    assert ike.take(8) == bytes(8)
    payload, version, exchange, flags = ike.take(4)
    assert (version, exchange, flags) == (0x20, 34, 0x08)
    assert ike.uint(4) == 0
    assert ike.uint(4) == len(question) - 12
    seen = {}
    while payload:
        following, reserved = ike.take(2)
        assert reserved == 0
        seen[payload] = ike.take(ike.uint(2) - 4)
        payload = following
    assert len(ike) == 0
    assert list(seen) == [33, 34, 40]
    assert seen[40] == NONCE
    assert seen[34] == b"\x00\x01\x00\x00" + KEY
    proposal = Reader(seen[33])
    assert proposal.take(2) == b"\0\0"
    assert proposal.uint(2) == len(seen[33])
    _, protocol, spi, transforms = proposal.take(4)
    assert (protocol, spi) == (1, 0)
    groups = set()
    for number in range(transforms):
        last = number == transforms - 1
        assert proposal.take(2) == (b"\0\0" if last else b"\x03\0")
        inner = Reader(proposal.take(proposal.uint(2) - 4))
        if inner.uint(2) >> 8 == 4:
            groups.add(inner.uint(2))
    assert len(proposal) == 0
    # The key exchange is of a group that is not offered: no gateway goes on from there.
    assert groups
    assert 1 not in groups


def test_an_answer_of_ike() -> None:
    for cut in range(len(message())):
        assert iketcp.answered(message()[:cut], SPI) is None or cut >= 34
    assert iketcp.answered(message(), SPI) is True


@pytest.mark.parametrize(
    "data",
    [
        message(b"another!"),
        message(exchange=35),
        message(flags=0x08),
        message(version=0x10),
        b"\x00\x00",
        b"\x15\x03\x01\x00\x02\x02\x28" + bytes(9000),
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(40000),
        iketcp.question(SPI, KEY, NONCE),
        iketcp.question(SPI, KEY, NONCE)[6:],
    ],
)
def test_what_is_no_answer_of_ike(data: bytes) -> None:
    assert iketcp.answered(data, SPI) in (False, None)


@given(st.binary(max_size=200))
def test_any_bytes_may_come_from_a_gateway(data: bytes) -> None:
    assert iketcp.answered(data, SPI) in (None, False, SPI in data)


# ---- icons -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"foo", -156908512),
        (b"hello", 613153351),
        (b"The quick brown fox jumps over the lazy dog", 776992547),
    ],
)
def test_murmur3(data: bytes, expected: int) -> None:
    assert murmur.murmur3(data) == expected


def test_an_icon_is_named_by_its_base64_in_lines() -> None:
    assert murmur.icon(b"\0" * 60) == murmur.murmur3(b"A" * 76 + b"\n" + b"AAAA\n")
