"""What registries say, in every layout that is known, and in none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlscheck.model import State
from tlscheck.observations.registration import (
    Layout,
    Lock,
    Record,
    UnreadableError,
    from_jprs,
    from_rdap,
    from_whois,
)

AT = datetime(2026, 11, 20, tzinfo=UTC)
A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN

BANNER = """\
[ JPRS database provides information on network administration. Its use is    ]
[ restricted to network administration purposes. For further information,     ]
[ use 'whois -h whois.jprs.jp help'. To suppress Japanese output, add'/e'     ]

"""
GENERAL = (
    BANNER
    + """\
Domain Information: [ドメイン情報]
[Domain Name]                   SAKURA-CLINIC.JP

[登録者名]                      さくら診療所
[Registrant]                    Sakura Clinic

[Name Server]                   ns1.example.jp
[Name Server]                   ns2.example.jp
[Signing Key]                   63574 8 2 (
                                6D3A0000000000000000000000000000
                                00000000000000000000000000000000 )

[登録年月日]                    2005/05/30
[有効期限]                      2027/05/31
[状態]                          Active
[ロック状態]                    DomainTransferLocked
[ロック状態]                    AgentChangeLocked
[最終更新]                      2026/06/01 01:05:04 (JST)

Contact Information: [公開連絡窓口]
[名前]                          山田太郎
[Name]                          Taro Yamada
[Email]                         taro@example.jp
[郵便番号]                      100-0001
[住所]                          東京都千代田区
[電話番号]                      03-0000-0000
"""
)
ENGLISH = (
    BANNER
    + """\
Domain Information:
[Domain Name]                   SAKURA-CLINIC.JP

[Registrant]                    Sakura Clinic

[Name Server]                   ns1.example.jp
[Signing Key]

[Created on]                    2005/05/30
[Expires on]                    2027/05/31
[Status]                        Active
[Last Updated]                  2026/06/01 01:05:04 (JST)

Contact Information:
[Name]                          Taro Yamada
[Email]                         taro@example.jp
"""
)
ATTRIBUTE = (
    BANNER
    + """\
Domain Information: [ドメイン情報]
a. [ドメイン名]                 SAKURA.OR.JP
e. [そしきめい]                 いりょうほうじん さくらかい
f. [組織名]                     医療法人 さくら会
g. [Organization]               Sakura Medical Corporation
k. [組織種別]                   医療法人
l. [Organization Type]          Medical Corporation
m. [登録担当者]                 TY1234JP
n. [技術連絡担当者]             TY1234JP
p. [ネームサーバ]               ns1.example.jp
s. [署名鍵]
[状態]                          Connected (2027/01/31)
[ロック状態]                    AgentChangeLocked
[登録年月日]
[接続年月日]                    2001/01/24
[最終更新]                      2026/02/01 01:02:04 (JST)
"""
)
ATTRIBUTE_ENGLISH = (
    BANNER
    + """\
Domain Information:
a. [Domain Name]                SAKURA.CO.JP
g. [Organization]               Sakura Co., Ltd.
l. [Organization Type]          Corporation
m. [Administrative Contact]     TY1234JP
n. [Technical Contact]          TY1234JP
p. [Name Server]                ns1.example.jp
p. [Name Server]                ns2.example.jp
s. [Signing Key]
[State]                         Connected (2027/09/30)
[Registered Date]               2019/09/27
[Connected Date]                2019/09/27
[Last Update]                   2026/10/01 01:00:44 (JST)
"""
)
NONE = BANNER + "No match!!\n\nWith JPRS WHOIS, you can query the following domain name\n"


def jprs(text: str, domain: str, **options: Any) -> Record:
    data = text.replace("\n", "\r\n").encode()
    return from_jprs(data, domain, "whois.jprs.jp", AT, **options)


def test_a_general_use_name() -> None:
    record = jprs(GENERAL, "sakura-clinic.jp")
    assert record.layout is Layout.GENERAL_USE
    assert record.registered is A
    assert record.holder == ("さくら診療所", "Sakura Clinic")
    assert record.statuses == ("Active",)
    assert record.locks == ("DomainTransferLocked", "AgentChangeLocked")
    assert record.locked(Lock.TRANSFER) is A
    assert (record.created, record.expires) == (date(2005, 5, 30), date(2027, 5, 31))
    assert record.updated == datetime(2026, 5, 31, 16, 5, 4, tzinfo=UTC)
    assert record.name_servers == ("ns1.example.jp", "ns2.example.jp")
    assert record.ds == ("63574 8 2",)


def test_the_same_in_english_without_locks() -> None:
    record = jprs(ENGLISH, "sakura-clinic.jp")
    assert record.holder == ("Sakura Clinic",)
    assert record.locked(Lock.TRANSFER) is R
    assert record.locked(Lock.DELETE) is U
    assert record.expires == date(2027, 5, 31)
    assert record.ds == ()


def test_an_attribute_type_name_has_its_end_in_the_status() -> None:
    record = jprs(ATTRIBUTE, "sakura.or.jp")
    assert record.layout is Layout.ATTRIBUTE_TYPE
    assert record.statuses == ("Connected",)
    assert record.expires == date(2027, 1, 31)
    assert record.created is None
    assert record.unstated == ("created",)
    assert record.holder == ("医療法人 さくら会", "Sakura Medical Corporation")
    # No sample of this type has more than the one lock.
    assert record.locked(Lock.TRANSFER) is A


def test_an_attribute_type_name_in_english() -> None:
    record = jprs(ATTRIBUTE_ENGLISH, "sakura.co.jp")
    assert record.created == date(2019, 9, 27)
    assert record.expires == date(2027, 9, 30)
    assert record.locked(Lock.TRANSFER) is R
    assert record.updated == datetime(2026, 9, 30, 16, 0, 44, tzinfo=UTC)


def test_half_of_the_locks_of_a_general_use_name_are_not_enough() -> None:
    half = GENERAL.replace("[ロック状態]                    DomainTransferLocked\n", "")
    assert jprs(half, "sakura-clinic.jp").locked(Lock.TRANSFER) is R
    registry = GENERAL.replace("DomainTransferLocked", "RegistryLocked")
    for lock in Lock:
        assert jprs(registry, "sakura-clinic.jp").locked(lock) is U


def test_two_locks_on_one_line_are_two() -> None:
    two = GENERAL.replace("DomainTransferLocked\n", "DomainTransferLocked, AgentChangeLocked\n")
    assert jprs(two, "sakura-clinic.jp").locks == ("DomainTransferLocked", "AgentChangeLocked")


def test_two_records_are_one_too_many() -> None:
    with pytest.raises(UnreadableError, match="more than one"):
        jprs(GENERAL + GENERAL.replace("Active", "To be deleted"), "sakura-clinic.jp")


def test_of_two_ends_the_first_counts() -> None:
    ends = [{"eventAction": "expiration", "eventDate": f"20{year}-01-01T00:00:00Z"}
            for year in (28, 27, 29)]  # fmt: skip
    body = {"objectClassName": "domain", "ldhName": "a.com", "events": ends}
    assert from_rdap(json.dumps(body).encode(), "a.com", "x", AT).expires == date(2027, 1, 1)
    lines = b"Domain Name: a.com\nExpiry Date: 2028-01-01\nExpiry Date: 2027-01-01\n"
    assert from_whois(lines, "a.com", "x", AT).expires == date(2027, 1, 1)


@pytest.mark.parametrize("name", ["REDACTED FOR PRIVACY", "Data Protected", "Not Disclosed"])
def test_a_holder_that_is_hidden_is_none(name: str) -> None:
    lines = f"Domain Name: a.com\nRegistrant Organization: {name}\n".encode()
    assert from_whois(lines, "a.com", "x", AT).holder == ()


def test_every_status_counts() -> None:
    two = GENERAL.replace("Active\n", "Active\n[状態]                          To be deleted\n")
    assert jprs(two, "sakura-clinic.jp").statuses == ("Active", "To be deleted")


def test_words_of_epp_in_rdap_are_read_as_those_of_rdap() -> None:
    body = b'{"objectClassName": "domain", "ldhName": "a.com", "status": ["pendingDelete"]}'
    assert from_rdap(body, "a.com", "x", AT).statuses == ("pending delete",)


@pytest.mark.parametrize("text", [GENERAL, ENGLISH])
def test_personal_contacts_are_dropped_unless_they_are_to_be_kept(text: str) -> None:
    assert "taro@example.jp" not in repr(jprs(text, "sakura-clinic.jp"))
    assert "taro@example.jp" in jprs(text, "sakura-clinic.jp", contacts=True).text


@pytest.mark.parametrize("text", [ATTRIBUTE])
def test_handles_are_contacts_too(text: str) -> None:
    assert "TY1234JP" not in repr(jprs(text, "sakura.or.jp"))


@pytest.mark.parametrize(
    "word", ["To be suspended", "Suspended", "To be deleted", "Deleted", "Renamed", "Hold"]
)
def test_the_status_word_is_kept_as_it_is(word: str) -> None:
    record = jprs(GENERAL.replace("Active", word), "sakura-clinic.jp")
    assert record.statuses == (word,)


def test_no_match_is_no_registration() -> None:
    assert jprs(NONE, "sakura-clinic.jp").registered is R


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xfe\x00garbage",
        BANNER.encode(),
        NONE.encode() + GENERAL.encode(),
        GENERAL.replace("SAKURA-CLINIC.JP", "OTHER.JP").encode(),
        GENERAL.partition("[ロック状態]")[0].encode(),
        GENERAL.replace("[状態]                          Active\n", "").encode(),
        GENERAL.encode("shift_jis"),
        b"Rate limit exceeded, try again later\r\n",
    ],
)
def test_what_is_no_reply_is_said_to_be_none(answer: bytes) -> None:
    with pytest.raises(UnreadableError):
        from_jprs(answer, "sakura-clinic.jp", "whois.jprs.jp", AT)


def test_every_cut_of_a_reply_is_unreadable_or_whole() -> None:
    whole = jprs(GENERAL, "sakura-clinic.jp")
    data = GENERAL.partition("Contact Information")[0].encode()
    for end in range(len(data)):
        try:
            record = from_jprs(data[:end], "sakura-clinic.jp", "whois.jprs.jp", AT)
        except UnreadableError:
            continue
        assert record.locks == whole.locks
        assert record.statuses == whole.statuses


# ---- RDAP ------------------------------------------------------------------------------------

COM: dict[str, Any] = {
    "objectClassName": "domain",
    "ldhName": "SAKURA.COM",
    "status": ["client transfer prohibited", "server delete prohibited"],
    "events": [
        {"eventAction": "registration", "eventDate": "1997-09-15T04:00:00Z"},
        {"eventAction": "expiration", "eventDate": "2028-09-14T04:00:00Z"},
        {"eventAction": "last changed", "eventDate": "2019-09-09T15:39:04Z"},
        {"eventAction": "transfer", "eventDate": "2026-10-09T15:39:04Z"},
    ],
    "nameservers": [{"ldhName": "NS2.EXAMPLE.COM."}, {"ldhName": "ns1.example.com"}],
    "secureDNS": {"dsData": [{"keyTag": 1, "algorithm": 13, "digestType": 2, "digest": "00"}]},
    "entities": [
        {
            "roles": ["registrar"],
            "publicIds": [{"type": "IANA Registrar ID", "identifier": "292"}],
            "vcardArray": ["vcard", [["fn", {}, "text", "Example Registrar"]]],
        },
        {
            "roles": ["registrant"],
            "vcardArray": [
                "vcard",
                [["fn", {}, "text", "Taro Yamada"], ["org", {}, "text", "Sakura Inc."],
                 ["email", {}, "text", "taro@example.jp"]],
            ],
        },
    ],
}  # fmt: skip


def rdap(answer: Any, domain: str = "sakura.com", **options: Any) -> Record:
    return from_rdap(json.dumps(answer).encode(), domain, "https://rdap.example/", AT, **options)


def test_a_gtld_name() -> None:
    record = rdap(COM)
    assert record.locked(Lock.TRANSFER) is A
    assert record.locked(Lock.DELETE) is A
    assert record.locked(Lock.UPDATE) is R
    assert (record.registrar, record.registrar_id) == ("Example Registrar", "292")
    assert record.holder == ("Sakura Inc.",)
    assert (record.created, record.expires) == (date(1997, 9, 15), date(2028, 9, 14))
    assert record.name_servers == ("ns1.example.com", "ns2.example.com")
    assert record.ds == ("1 13 2",)
    assert [e.action for e in record.events if e.at.year == 2026] == ["transfer"]


def test_contacts_in_rdap_are_dropped_unless_they_are_to_be_kept() -> None:
    assert "taro" not in repr(rdap(COM)).lower()
    assert "taro@example.jp" in rdap(COM, contacts=True).text


@pytest.mark.parametrize(
    "answer",
    [[], "x", {}, {"objectClassName": "entity"}, COM | {"ldhName": "other.com"}, {"errorCode": 1}],
)
def test_an_rdap_answer_that_is_none(answer: Any) -> None:
    with pytest.raises(UnreadableError):
        rdap(answer)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(COM)), WRONG))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_rdap_sends_is_read_or_refused(wrong: dict[str, Any]) -> None:
    try:
        record = rdap(COM | wrong)
    except UnreadableError:
        return
    assert record.domain == "sakura.com"


@given(st.binary(max_size=300))
@pytest.mark.parametrize("read", [from_jprs, from_whois, from_rdap])
def test_no_bytes_make_a_registration(read: Callable[..., Record], data: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(data, "sakura-clinic.jp", "server", AT)


# ---- ICANN's layout --------------------------------------------------------------------------

INFO = """\
% Terms of use: not found anywhere
Domain Name: sakura.info
Registrar: Example Registrar
Registrar IANA ID: 292
Creation Date: 2011-07-05T10:00:00Z
Registry Expiry Date: 2029-07-05T10:00:00Z
Updated Date: 2026-07-05T10:00:00Z
Domain Status: clientTransferProhibited https://icann.org/epp#clientTransferProhibited
Domain Status: serverHold https://icann.org/epp#serverHold
Registrant Organization: Sakura Inc.
Registrant Email: taro@example.jp
Name Server: NS1.EXAMPLE.COM
>>> Last update of WHOIS database: 2026-11-20T00:00:00Z <<<
"""


def test_whois_in_icann_s_layout() -> None:
    record = from_whois(INFO.encode(), "sakura.info", "whois.example", AT)
    assert record.statuses == ("client transfer prohibited", "server hold")
    assert record.locked(Lock.TRANSFER) is A
    assert (record.created, record.expires) == (date(2011, 7, 5), date(2029, 7, 5))
    assert record.name_servers == ("ns1.example.com",)
    assert "taro@example.jp" not in repr(record)


@pytest.mark.parametrize("said", ["No match for domain", "NOT FOUND", "% No entries found."])
def test_whois_without_a_match(said: str) -> None:
    record = from_whois(f"{said}\r\n".encode(), "sakura.info", "whois.example", AT)
    assert record.registered is R
