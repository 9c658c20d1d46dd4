"""Messages of IKE: built as RFCs say, read as strongSwan sends them, refused if they are none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import gateway
from tlscheck.observations.ike import ASKED, Dimension
from tlscheck.wire import ike
from tlscheck.wire.codec import DecodeError
from tlscheck.wire.ike import Kind, Message, Notify, Phase1, Phase1Offer, Transform

SPI, NONCE = bytes(range(1, 9)), bytes(range(32))
SMALL = {
    Kind.ENCRYPTION: ["ENCR_AES_CBC-256"],
    Kind.PRF: ["PRF_HMAC_SHA2_256"],
    Kind.INTEGRITY: ["AUTH_HMAC_SHA2_256_128"],
    Kind.GROUP: ["2048-bit MODP Group"],
}
EVERYTHING = {
    Kind.ENCRYPTION: ASKED[Dimension.ENCRYPTION],
    Kind.PRF: ASKED[Dimension.PRF],
    Kind.INTEGRITY: ASKED[Dimension.INTEGRITY],
    Kind.GROUP: ASKED[Dimension.GROUPS],
}

# What strongSwan 5.9.8 answered on a loopback of our own.
INVALID_KE = bytes.fromhex(
    "0102030405060708000000000000000029202220000000000000003a"
    "2b00000a00000011000e00000014882fe56d6fd20dbc2251613b2ebe5beb"
)
NO_PROPOSAL = bytes.fromhex(
    "01020304050607080000000000000000292022200000000000000024000000080000000e"
)
ASSOCIATION = bytes.fromhex(
    "0909090909090909500b0bfb4f6a76782120222000000000000001b5220000300000002c010100040300000c0100000c"
    "800e0100030000080300000c0300000802000005000000080400000e28000108000e00006450623016364d86c6376089"
    "e3cfc29500025ed0da9272e46ded1d880996431aeabc5aa9ba566762c4d836027f55539b04ad62c2ddf82826496e0cc8"
    "2066019be08199f80f3745533d4a30a925ecc2ed871480618b9ec655ab3c5f35d00875ddbcbbab4e2a04398164439e85"
    "3f66cc8e784ba88a03dc75f72e71389aba9f0307198933a5172fe835237cccb80b968abd9924c6770faf10728bcecc67"
    "cd359180632675a5c9c0445e3343092b08c9acbc1f369351c67818d749807dfde60a24894d9927547468c72bc9360d3c"
    "37a8ee8fb417996ad9fbb93d99ec7c46f59ed127d4eabde72bbb02d714363dbf5873bb3d5cd832dcda8bafb263176177"
    "fce6027e2600002412941918da9a6b8ad83f4a1ff9b1bcafd4c63edabad1b76a3fe8c09181724d932900001904"
    "7246fcfb32ce08fc08a6abc02627e418c79dc40929000008000040222b0000080000401400000014"
    "882fe56d6fd20dbc2251613b2ebe5beb"
)
MAIN = bytes.fromhex(
    "010203040506070869f1054074817be50110020000000000000000b00d00003400000001000000010000002801010001"
    "000000200a01000080010005800200028004000280030001800b0001800c70800d000014882fe56d6fd20dbc2251613b"
    "2ebe5beb0d00000c09002689dfd6b7120d000014afcad71368a1f1c96b8696fc775701000d0000184048b7d56ebce885"
    "25e7de7f00d6c2d380000000000000144a131c81070358455c5728f20e95452f"
)
NO_PROPOSAL_1 = bytes.fromhex(
    "0a0a0a0a0a0a0a0a0233ecd71ca1182c0b100500b23a0a2f00000038"
    "0000001c000000010110000e0a0a0a0a0a0a0a0a0233ecd71ca1182c"
)
CAPTURED = [INVALID_KE, NO_PROPOSAL, ASSOCIATION, MAIN, NO_PROPOSAL_1]


# ---- building --------------------------------------------------------------------------------


def test_a_question_of_ikev2_to_the_octet() -> None:
    packet = ike.sa_init(SPI, NONCE, ike.proposals(SMALL), 19, bytes(64))
    assert packet.hex() == (
        "0102030405060708" + "00" * 8 + "21202208" + "00000000" + f"{len(packet):08x}"
        + "22000030" + "0000002c" + "01010004"
        + "0300000c" + "0100000c" + "800e0100"  # AES-CBC, 256 bits
        + "03000008" + "02000005"
        + "03000008" + "0300000c"
        + "00000008" + "0400000e"
        + "28000048" + "00130000" + "00" * 64
        + "00000024" + NONCE.hex()
    )  # fmt: skip


def test_a_question_of_ikev1_to_the_octet() -> None:
    packet = ike.main_mode(SPI, [Phase1Offer(7, 2, 1, 14, 128)])
    head = "0102030405060708" + "00" * 8 + "01100200" + "00000000" + f"{len(packet):08x}"
    transform = "01010000" + "80010007" + "80020002" + "80030001" + "8004000e" + "800e0080"
    transform += "800b0001" + "800c7080"
    proposal = "01010001" + "00000024" + transform
    association = "0d000038" + "00000001" + "00000001" + "0000002c" + proposal
    assert packet.hex().startswith(head + association)


def test_a_cookie_goes_first() -> None:
    offered = ike.proposals(SMALL)
    without = ike.sa_init(SPI, NONCE, offered, 19, bytes(64))
    packet = ike.sa_init(SPI, NONCE, offered, 19, bytes(64), b"a cookie")
    (first, content), *rest = gateway.walk(packet)
    assert (first, content) == (41, b"\0\0\x40\x06a cookie")
    assert rest == gateway.walk(without)


def test_a_key_of_the_wrong_length_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="64 octets"):
        ike.sa_init(SPI, NONCE, ike.proposals(SMALL), 19, bytes(63))
    with pytest.raises(ValueError, match="another group"):
        ike.aggressive_mode(SPI, [Phase1Offer(7, 2, 1, 14, 128)], bytes(128), NONCE, "nobody")


def test_everything_fits_into_one_packet_of_any_path() -> None:
    """1280 octets are what every IPv6 path carries: 40 of IPv6, 8 of UDP, 4 of the marker."""
    packet = ike.sa_init(SPI, NONCE, ike.proposals(EVERYTHING), 26, bytes(56), b"c" * 64)
    assert len(packet) <= 1280 - 52
    from tlscheck.probes.ike import AGGRESSIVE, OFFERS

    assert all(len(ike.main_mode(SPI, offers)) <= 1280 - 52 for offers in OFFERS)
    for offers in AGGRESSIVE:
        key = bytes(ike.KEY_OCTETS[offers[0].group])
        assert len(ike.aggressive_mode(SPI, offers, key, NONCE, "nobody")) <= 1280 - 52


def test_aead_ciphers_go_without_integrity() -> None:
    aead, other = ike.proposals(EVERYTHING)
    assert Kind.INTEGRITY not in {t.kind for t in aead}
    assert Kind.INTEGRITY in {t.kind for t in other}
    (alone,) = ike.proposals(EVERYTHING | {Kind.INTEGRITY: []})
    assert alone == aead


def test_the_marker() -> None:
    assert ike.unmarked(ike.marked(MAIN)) == MAIN
    with pytest.raises(DecodeError):
        ike.unmarked(MAIN)


NAMES = [(kind, name) for kind, names in EVERYTHING.items() for name in names]
OFFER = st.fixed_dictionaries(
    {
        kind: st.lists(st.sampled_from(names), min_size=1, max_size=9, unique=True)
        for kind, names in EVERYTHING.items()
    }
)


@given(OFFER, st.binary(min_size=8, max_size=8), st.binary(max_size=64))
def test_what_goes_in_comes_out(offer: dict[Kind, list[str]], spi: bytes, cookie: bytes) -> None:
    offered = ike.proposals(offer)
    packet = ike.sa_init(spi, NONCE, offered, 14, bytes(256), cookie)
    message = ike.parse(packet)
    assert message.initiator == spi
    assert (message.version, message.exchange, message.is_response) == (2, 34, False)
    assert message.chosen == tuple(t for proposal in offered for t in proposal)
    assert message.notifies == ((Notify(16390, cookie),) if cookie else ())


PHASE1 = st.builds(
    Phase1Offer,
    st.integers(1, 8),
    st.integers(1, 6),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2, 5, 14, 19]),
    st.sampled_from([0, 128, 256]),
)


@given(st.lists(PHASE1, min_size=1, max_size=30))
def test_what_goes_into_main_mode_comes_out(offers: list[Phase1Offer]) -> None:
    message = ike.parse(ike.main_mode(SPI, offers))
    assert (message.version, message.exchange) == (1, ike.Exchange.MAIN)
    assert len(message.phase1) == len(offers)
    assert [ike.vendor_name(v.hex()) for v in message.vendor_ids] == [
        "RFC 3947 NAT-T",
        "Dead Peer Detection (RFC 3706)",
        "IKE fragmentation",
    ]


# ---- reading ---------------------------------------------------------------------------------


def test_a_gateway_asks_for_another_key() -> None:
    message = ike.parse(INVALID_KE)
    assert message.initiator == SPI
    assert message.is_response
    assert message.notifies == (Notify(17, b"\0\x0e"),)
    assert [ike.vendor_name(v.hex()) for v in message.vendor_ids] == ["strongSwan"]


def test_a_gateway_refuses() -> None:
    message = ike.parse(NO_PROPOSAL)
    assert [ike.notify_name(2, n.number) for n in message.notifies] == ["NO_PROPOSAL_CHOSEN"]
    message = ike.parse(NO_PROPOSAL_1)
    assert [ike.notify_name(1, n.number) for n in message.notifies] == ["NO-PROPOSAL-CHOSEN"]


def test_a_gateway_makes_an_association() -> None:
    message = ike.parse(ASSOCIATION)
    assert {t.name for t in message.chosen} == {name for names in SMALL.values() for name in names}
    assert {ike.notify_name(2, n.number) for n in message.notifies} == {
        "CHILDLESS_IKEV2_SUPPORTED",
        "MULTIPLE_AUTH_SUPPORTED",
    }
    assert [a.hex() for a in message.authorities] == ["7246fcfb32ce08fc08a6abc02627e418c79dc409"]
    assert message.asks_for_certificate


def test_a_gateway_chooses_in_main_mode() -> None:
    message = ike.parse(MAIN)
    group = "1024-bit MODP Group"
    assert message.phase1 == (Phase1("3DES-CBC", "SHA", "pre-shared key", group),)
    assert [ike.vendor_name(v.hex()) for v in message.vendor_ids] == [
        "strongSwan",
        "XAUTH",
        "Dead Peer Detection (RFC 3706)",
        "IKE fragmentation",
        "RFC 3947 NAT-T",
    ]


def test_secrets_are_not_taken_out() -> None:
    transform = bytes.fromhex("010100008001000780020002800300018004000e800e0080")
    message = ike.parse(gateway.chosen_1(SPI, 4, transform, gateway.SECRETS))
    assert message.phase1[0].encryption == "AES-CBC-128"
    told = repr(message)
    for secret in (gateway.SECRET_KEY, gateway.SECRET_NONCE, gateway.SECRET_HASH):
        assert repr(secret[:6])[2:-1] not in told
    assert repr(ASSOCIATION[100:120])[2:-1] not in repr(ike.parse(ASSOCIATION))


def test_what_is_encrypted_is_left_alone() -> None:
    packet = bytearray(MAIN)
    packet[19] = 1
    assert ike.parse(bytes(packet)).phase1 == ()
    sealed = SPI * 2 + bytes((46, 0x20, 37, 0x20)) + bytes(4) + (32).to_bytes(4) + bytes(4)
    assert ike.parse(sealed).exchange == ike.Exchange.INFORMATIONAL_2


@pytest.mark.parametrize("packet", CAPTURED)
def test_any_cut_is_refused(packet: bytes) -> None:
    for end in range(len(packet)):
        with pytest.raises(DecodeError):
            ike.parse(packet[:end])


def test_a_packet_without_an_end_is_refused() -> None:
    head = SPI * 2 + bytes((41, 0x20, 34, 0x20)) + bytes(4)
    body = b"\x29\0\0\x08\0\0\0\x0e" * 5000
    with pytest.raises(DecodeError):
        ike.parse(head + (28 + len(body)).to_bytes(4) + body)


def _read(data: bytes) -> Message | None:
    try:
        return ike.parse(data)
    except DecodeError:
        return None


@given(st.binary(max_size=400))
def test_nonsense_is_refused_or_read(data: bytes) -> None:
    _read(data)
    _read(SPI * 2 + bytes((33, 0x20, 34, 0x20)) + bytes(4) + (28 + len(data)).to_bytes(4) + data)
    _read(SPI * 2 + bytes((1, 0x10, 2, 0)) + bytes(4) + (28 + len(data)).to_bytes(4) + data)


@given(st.sampled_from(CAPTURED), st.data())
@example(ASSOCIATION, None)
def test_damaged_answers_are_refused_or_read(packet: bytes, data: st.DataObject | None) -> None:
    damaged = bytearray(packet)
    for _ in range(data.draw(st.integers(1, 6)) if data else 0):
        assert data
        damaged[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    message = _read(bytes(damaged))
    if message:
        assert all(t.name for t in message.chosen)
        assert all(isinstance(ike.vendor_name(v.hex()), str) for v in message.vendor_ids)
        assert all(ike.notify_name(message.version, n.number) for n in message.notifies)


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_names_and_numbers(kind: Kind, name: str) -> None:
    assert ike.transform(kind, name).name == name


def test_what_has_no_name_is_a_number() -> None:
    assert Transform(Kind.GROUP, 1031).name == "GROUP 1031"
    assert Transform(Kind.ENCRYPTION, 4711, 128).name == "ENCRYPTION 4711-128"
    assert ike.notify_name(2, 40961) == "40961"
    assert ike.phase1({}) == Phase1("0", "0", "0", "0")
    with pytest.raises(KeyError):
        ike.transform(Kind.GROUP, "brainpoolP256t1")


@given(st.binary(max_size=128))
def test_any_vendor_id_has_a_name_or_none(octets: bytes) -> None:
    name = ike.vendor_name(octets.hex())
    assert name == "" or name.isprintable()


def test_vendor_ids_in_letters() -> None:
    assert ike.vendor_name(b"OE-Libreswan-4.10".hex()) == "OE-Libreswan-4.10"
    assert ike.vendor_name("ff" * 16) == ""
