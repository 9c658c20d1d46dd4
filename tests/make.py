"""Observations in which everything is good, of which a test changes one thing.

Good is what the default profile wants. Certificates come from `make_chain`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tests.make_chain import AT, GOOD, LEAF
from tests.make_chain import observation as certificate_observation
from tlscheck.model import (
    Look,
    Missed,
    Observation,
    Place,
    Reason,
    Scan,
    Scope,
    Standpoint,
    State,
    Target,
)
from tlscheck.observations import ports
from tlscheck.observations.addresses import AddressesObservation
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.dns import (
    Dmarc,
    DnsObservation,
    DomainName,
    Exchange,
    HttpsRecord,
    Mail,
    MailHost,
    NameServer,
    Outcome,
    Pointer,
    Role,
    Security,
    Server,
    Soa,
    Spf,
    Standing,
    TransportPolicy,
    Zone,
)
from tlscheck.observations.http import (
    Hsts,
    HttpObservation,
    Management,
    Plain,
    PlainState,
    Policy,
)
from tlscheck.observations.http.seen import Delivery
from tlscheck.observations.ike import ASKED as IKE_ASKED
from tlscheck.observations.ike import Dimension as IkeDimension
from tlscheck.observations.ike import Ending, IkeObservation, IkeVersion, Mode, Opening, fold
from tlscheck.observations.knowledge import DIMENSIONS, candidates
from tlscheck.observations.ports import PortsObservation
from tlscheck.observations.quic import QuicObservation
from tlscheck.observations.registration import (
    Declared,
    Layout,
    Record,
    RegistrationObservation,
    Shown,
)
from tlscheck.observations.tls import (
    Chooser,
    ClientCertificate,
    Deep,
    Demand,
    Names,
    Order,
    TlsObservation,
)
from tlscheck.observations.turn import Allocation, Dtls, Talk, Transport, TurnObservation
from tlscheck.observations.vpn import Port, VpnObservation
from tlscheck.report import SUBJECTS
from tlscheck.targets import endpoint_id, name_id
from tlscheck.text import Phrase, voice
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.ike import Phase1
from tlscheck.wire.registry import Version

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
DEFAULT_PROFILE = "ipa-high-3.1.1"

ACCEPTED: dict[str, dict[Version, tuple[str, ...]]] = {
    "suites": {
        V12: (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
        V13: ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"),
    },
    "groups": {V12: ("x25519", "secp256r1"), V13: ("X25519MLKEM768", "x25519", "secp256r1")},
    "schemes": {V12: ("ecdsa_secp256r1_sha256",), V13: ("ecdsa_secp256r1_sha256",)},
}


def rest(version: Version, *taken: str) -> Names:
    """Every name of *version* but those in *taken* and those that are accepted."""
    return Names(
        *(
            tuple(
                name
                for name in candidates(version, dimension)
                if name not in taken and name not in ACCEPTED[dimension].get(version, ())
            )
            for dimension in DIMENSIONS
        )
    )


def tls_observation(**changes: Any) -> TlsObservation:
    """TLS 1.2 and 1.3 as the high-security type wants them, everything settled."""
    told: dict[str, Any] = {
        "at": AT,
        "versions": {v: A if v in (V12, V13) else R for v in Version},
        **ACCEPTED,
        "unknown": {V12: Names(), V13: Names()},
        "refused": {V12: rest(V12), V13: rest(V13)},
        "order": {v: Order(Chooser.SERVER, Chooser.SERVER, R) for v in (V12, V13)},
        "certificate_types": ("ECDSA",),
        "compression": R,
        "secure_renegotiation": A,
        "extended_master_secret": A,
        "fallback_scsv": A,
        "heartbeat": R,
        "session_ids": R,
        "session_tickets": A,
        "stapling": A,
        "early_ccs": R,
        "ticket_lifetimes": {V12: 7200, V13: 7200},
        "client_certificate": ClientCertificate(Demand.NONE),
        "deep": deep(),
        "rung": "plain",
    }
    return TlsObservation(**(told | changes))


def deep(**changes: Any) -> Deep:
    """What the child says of a server without any of the faults it looks for."""
    told: dict[str, Any] = dict.fromkeys(
        ("heartbleed", "robot", "client_renegotiation", "early_data", "crossing"), R
    )
    told |= {"resumption_ids": A, "resumption_tickets": A, "others": 1}
    return Deep(**(told | changes))


def blank_tls() -> TlsObservation:
    """An observation of which nothing is known."""
    return TlsObservation(at=AT, versions=dict.fromkeys(Version, U))


def versions(**changes: State) -> dict[Version, State]:
    """The good versions with changes: ``versions(TLS_1_0=A)``."""
    return {**tls_observation().versions, **{Version[name]: s for name, s in changes.items()}}


def http_observation(**changes: Any) -> HttpObservation:
    """A page with every protection that a profile asks for."""
    told: dict[str, Any] = {
        "at": AT,
        "status": 200,
        "last_status": 200,
        "host": "www.example.jp",
        "declared_external": (),
        "management": Management(asked=36),
        "html": True,
        "whole": True,
        "plain": Plain(
            PlainState.REDIRECTS, 80, 301, "https://www.example.jp/", https_same_host=True
        ),
        "hsts": Hsts(63_072_000, include_subdomains=True, preload=True),
        "policies": (
            Policy(Delivery.HEADER, {"default-src": ("'self'",), "frame-ancestors": ("'none'",)}),
        ),
        "headers": {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "permissions-policy": "camera=(self), microphone=(self)",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        },
        "banners": {"server": "nginx"},
        "clock_skew": 0,
    }
    return HttpObservation(**(told | changes))


def addresses_observation(**changes: Any) -> AddressesObservation:
    """Two addresses that answer alike."""
    told: dict[str, Any] = {"at": AT, "addresses": ("192.0.2.1", "2001:db8::1")}
    return AddressesObservation(**(told | changes))


def endpoint(host: str = "www.example.jp", address: str = "192.0.2.1", port: int = 443) -> Target:
    """An https endpoint."""
    place = Place(host, port, "https", address, host)
    return Target(endpoint_id("https", host, port, address), Scope.ENDPOINT, place)


def good_look(
    host: str = "www.example.jp", address: str = "192.0.2.1", **seen: Observation
) -> Look:
    """A look at an endpoint where all is well; *seen* replaces one subject."""
    told: dict[str, Observation] = {
        "tls": tls_observation(),
        "certificate": certificate_for(host),
        "http": http_observation(),
    }
    return Look(endpoint(host, address), told | seen, connections=45)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def certificate_for(host: str, key: str = "", **chain: Any) -> CertificateObservation:
    """A good certificate of *host* alone, with a key of its own."""
    leaf = replace(
        LEAF,
        subject=f"CN={host}",
        common_name=host,
        names=(host,),
        sha256=_digest(f"certificate {host}"),
        spki_sha256=key or _digest(f"key {host}"),
    )
    told: dict[str, Any] = {
        "certificates": (leaf,),
        "way": (leaf, *GOOD.way[1:]),
        "revocation": (replace(GOOD.revocation[0], certificate=leaf.sha256),),
    }
    one = replace(GOOD, **(told | chain))
    return certificate_observation(one, asked_name=host)


def missed_look(
    *subjects: str, reason: Reason = Reason.TIMEOUT, host: str = "www.example.jp"
) -> Look:
    """A look that saw nothing of *subjects*."""
    return Look(
        endpoint(host),
        {},
        tuple(Missed(s, reason) for s in subjects or ("tls", "certificate", "http")),
    )


def names_look(host: str = "www.example.jp", **changes: Any) -> Look:
    """What the addresses of *host* have in common."""
    target = Target(name_id("https", host, 443), Scope.NAME)
    return Look(target, {"addresses": addresses_observation(**changes)})


DOMAIN = "example.jp"


def registration_observation(**changes: Any) -> RegistrationObservation:
    """A general-use .jp name as it should be, compared with what was declared."""
    record = Record(
        domain=DOMAIN,
        server="whois.jprs.jp",
        asked=AT,
        layout=Layout.RDAP,
        statuses=tuple(f"client {what} prohibited" for what in ("transfer", "delete", "update")),
        registrar="Example Registrar",
        holder=("Example Clinic",),
        created=date(2012, 7, 5),
        expires=date(2036, 7, 31),
        updated=AT - timedelta(days=100),
        name_servers=("ns1.example.jp", "ns2.example.jp"),
    )
    told: dict[str, Any] = {
        "at": AT,
        "record": record,
        "declared": Declared(("Example Clinic",), ("Example Registrar",), record.name_servers),
        "delegated": A,
        "certificates": (
            Shown("www.example.jp", "0" * 64, AT - timedelta(days=9), "Example Clinic"),
        ),
    }
    own = {k: v for k, v in changes.items() if k in RegistrationObservation.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in own}
    told["record"] = replace(record, **rest)
    return RegistrationObservation(**(told | own))


def blank_registration() -> RegistrationObservation:
    """A registration of which nothing is known."""
    return RegistrationObservation(
        at=AT,
        record=Record(DOMAIN, "", AT, Layout.RDAP, U),
        declared=Declared(("Example Clinic",)),
        certificates=(Shown("www.example.jp", "0" * 64, None, "Example Clinic"),),
    )


def dns_observation(**changes: Any) -> DnsObservation:
    """A domain as it should be; *changes* are of the observation, its zone or its one name."""
    names = ("ns1.example.jp", "ns2.example.jp")
    addresses = ("45.76.10.11", "103.2.57.12")
    zone = Zone(
        name=DOMAIN,
        parent="jp",
        delegated=A,
        name_servers=tuple(
            NameServer(name, True, A, (address,), (address,), A, complete=True)
            for name, address in zip(names, addresses, strict=True)
        ),
        servers=tuple(
            Server(
                name,
                address,
                Outcome.AUTHORITATIVE,
                Outcome.AUTHORITATIVE,
                "NOERROR",
                1,
                names,
                A,
                R,
                R,
            )
            for name, address in zip(names, addresses, strict=True)
        ),
        soa=Soa("ns1.example.jp", 1, 7200, 3600, 1209600, 300),
        security=Security(
            Standing.SECURE, "", True, ("1 13 2",), (13,), AT + timedelta(days=20), None, True
        ),
        denial=A,
        wildcard=R,
    )
    name = DomainName(
        "www.example.jp",
        A,
        ("45.76.20.20",),
        complete=True,
        ttl=3600,
        caa_at=DOMAIN,
        caa=("issue letsencrypt.org",),
        https=(HttpsRecord(1, ".", ("45.76.20.20",)),),
    )
    mail = Mail(
        takes=A,
        hosts=(MailHost("mail.example.jp", 10, A, R),),
        spf=Spf(("v=spf1 mx -all",), "-all", 1),
        dmarc=Dmarc(DOMAIN, ("v=DMARC1; p=reject",), "reject"),
        mta_sts=TransportPolicy("v=STSv1; id=1", A, "enforce", ("mail.example.jp",), 604800),
        tls_reports="v=TLSRPTv1; rua=mailto:a@example.jp",
    )
    told: dict[str, Any] = {
        "at": AT,
        "domain": DOMAIN,
        "zones": (zone,),
        "names": (name,),
        "pointers": (
            Pointer(Role.MAIL, DOMAIN, "mail.example.jp", DOMAIN, A, False, A, A, ("active",)),
        ),
        "mail": mail,
        "issuers": ("www.example.jp: Let's Encrypt",),
        "ds_before": ("1 13 2",),
        "exchanges": (Exchange("45.76.10.11", "example.jp. SOA", "udp", AT, "AAAA"),),
    }
    for part, one in (("zones", zone), ("names", name), ("mail", mail)):
        own = {k: v for k, v in changes.items() if k in type(one).__dataclass_fields__}
        if own and part not in changes:
            changed = replace(one, **own)  # type: ignore[type-var]
            told[part] = changed if part == "mail" else (changed,)
            changes = {k: v for k, v in changes.items() if k not in own}
    return DnsObservation(**(told | changes))


def blank_dns() -> DnsObservation:
    """A domain of which the DNS told nothing."""
    return DnsObservation(
        at=AT,
        domain=DOMAIN,
        zones=(Zone(DOMAIN, "jp", U),),
        names=(DomainName("www.example.jp", U),),
        issuers=("www.example.jp: Let's Encrypt",),
        ds_before=("1 13 2",),
    )


def turn_observation(**changes: Any) -> TurnObservation:
    """A server at its TLS port as it should be; *changes* are of the observation or its DTLS."""
    asked = (Allocation("udp", R, 401), Allocation("tcp", R, 401))
    said: dict[str, Any] = {"realm": "example.jp", "nonce_length": 16}
    dtls = Dtls(
        answers=A,
        versions=dict(zip(DtlsVersion, (R, A, R), strict=True)),
        suites={DtlsVersion.DTLS_1_2: ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",)},
        unknown={DtlsVersion.DTLS_1_2: ()},
        alerts={DtlsVersion.DTLS_1_0: (70,)},
        cookie=A,
        certificate=LEAF,
        certificates=2,
        canary=A,
        hellos=60,
    )
    told: dict[str, Any] = {
        "at": AT,
        "service": "turns",
        "address": "45.76.20.20",
        "talks": (
            Talk(Transport.UDP, R, detail="connection_refused"),
            Talk(Transport.TCP, R, detail="reset"),
            Talk(Transport.TLS, A, asked, **said),
            Talk(Transport.DTLS, A, asked[:1], **said),
        ),
    }
    own = {k: v for k, v in changes.items() if k in Dtls.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in own}
    return TurnObservation(**(told | {"dtls": replace(dtls, **own)} | rest))


def blank_turn() -> TurnObservation:
    """A server of which nothing is known."""
    return TurnObservation(
        at=AT,
        service="turns",
        address="45.76.20.20",
        talks=tuple(Talk(each, detail="timeout") for each in Transport),
        dtls=Dtls(detail="timeout"),
    )


def turn_look(seen: TurnObservation | None = None) -> Look:
    """A look at a TURN server, in which all is well unless said otherwise."""
    place = Place("turn.example.jp", 5349, "turns", "45.76.20.20", "turn.example.jp")
    id = endpoint_id("turns", place.host, place.port, place.address)
    return Look(Target(id, Scope.ENDPOINT, place), {"turn": seen or turn_observation()})


def quic_observation(**changes: Any) -> QuicObservation:
    """QUIC as it should be, beside the good TLS of the same name."""
    told: dict[str, Any] = {
        "at": AT,
        "service": "https",
        "port": 443,
        "announced": True,
        "answers": A,
        "negotiation": A,
        "versions": {"QUIC v1": A, "QUIC v2": R},
        "suites": {
            "TLS_AES_128_GCM_SHA256": A,
            "TLS_AES_256_GCM_SHA384": A,
            "TLS_CHACHA20_POLY1305_SHA256": R,
        },
        "groups": {"x25519": A, "secp256r1": A, "x448": R, "secp384r1": A, "secp521r1": R},
        "keys": {"RSA": R, "ECDSA": A},
        "alpn": {"h3": A},
        "scheme": "ecdsa_secp256r1_sha256",
        "certificates": (certificate_for("www.example.jp").chains[0].leaf,),
        "retry": R,
        "ticket_lifetime": 7200,
        "early_data": R,
        "certificate_asked": R,
        "canary": A,
        "handshakes": 18,
    }
    return QuicObservation(**(told | changes))


def blank_quic() -> QuicObservation:
    """HTTP/3 that is announced and silent."""
    return QuicObservation(at=AT, service="https", port=443, announced=True, detail="timeout")


def quic_look(seen: QuicObservation | None = None) -> Look:
    """A look at an endpoint with HTTP/3, in which all is well unless said otherwise."""
    told = {
        **good_look("www.example.jp").seen,
        "quic": seen or quic_observation(),
    }
    return Look(endpoint("www.example.jp", "192.0.2.3"), told)


ADDRESS = "192.0.2.1"


def vpn_observation(**changes: Any) -> VpnObservation:
    """An address at which no VPN over TLS shows; *changes* are of the observation or its port."""
    port = Port(
        number=443,
        transport="tcp",
        opened=A,
        tls=A,
        web=A,
        whole=True,
        client_certificate=Demand.NONE,
        sstp=R,
        softether=R,
        sent=("certificate", "control", "root"),
    )
    told: dict[str, Any] = {
        "at": AT,
        "host": "www.example.jp",
        "address": ADDRESS,
        "ports": (port,),
        "markers": "2026-11-20",
    }
    own = {k: v for k, v in changes.items() if k in VpnObservation.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in own}
    told["ports"] = (replace(port, **rest),)
    return VpnObservation(**(told | own))


def blank_vpn() -> VpnObservation:
    """An address at which nothing was seen."""
    return VpnObservation(at=AT, host="www.example.jp", address=ADDRESS)


def ports_observation(*more: ports.Port, **changes: Any) -> PortsObservation:
    """An address that answers as it should, with *more* ports; *changes* are of the observation."""
    state = ports.PortState
    told: dict[str, Any] = {
        "at": AT,
        "address": ADDRESS,
        "ports": (ports.Port(443, "tcp", state.OPEN, "https", "web", "tls"), *more),
        "counts": {
            "tcp": {state.OPEN: 1, state.DROPPED: 190, state.CLOSED: 1},
            "udp": {state.DROPPED: 20},
        },
        "declared": {"tcp": (443,), "udp": ()},
    }
    return PortsObservation(**(told | changes))


def blank_ports() -> PortsObservation:
    """An address of whose ports nothing is known."""
    return PortsObservation(at=AT, address=ADDRESS, declared={"tcp": (443,)})


def address_look(
    vpn: VpnObservation | None = None,
    seen: PortsObservation | None = None,
    ike: IkeObservation | None = None,
) -> Look:
    """A look at an address, in which all is well unless said otherwise."""
    told = {
        "vpn": vpn or vpn_observation(),
        "ports": seen or ports_observation(),
        "ike": ike or ike_observation(),
    }
    return Look(Target(ADDRESS, Scope.ADDRESS), told)


def domain_look(
    registration: RegistrationObservation | None = None, dns: DnsObservation | None = None
) -> Look:
    """A look at a domain, in which all is well unless said otherwise."""
    seen: dict[str, Observation] = {
        "registration": registration or registration_observation(),
        "dns": dns or dns_observation(),
    }
    return Look(Target(DOMAIN, Scope.NAME), seen)


GATEWAY = "198.51.100.45"
_STRONG = {
    IkeDimension.GROUPS: ("384-bit random ECP group",),
    IkeDimension.ENCRYPTION: ("ENCR_AES_GCM_16-256",),
    IkeDimension.INTEGRITY: (),
    IkeDimension.PRF: ("PRF_HMAC_SHA2_384",),
}


PHASE1 = Phase1("3DES-CBC", "SHA", "pre-shared key", "1024-bit MODP Group")
"""What old gateways choose in IKEv1."""


def ike_observation(**changes: Any) -> IkeObservation:
    """An IPsec gateway that accepts one strong suite of IKEv2 and nothing else."""
    wanted = changes.pop("accepted", {})
    states = {
        d.value: {
            name: A if name in (*_STRONG[d], *wanted.get(d, ())) else R for name in IKE_ASKED[d]
        }
        for d in IkeDimension
    }
    told: dict[str, Any] = {
        **states,
        "versions": {IkeVersion.V1: R, IkeVersion.V2: A},
        "preferred_group": "384-bit random ECP group",
        "aggressive_asked": True,
        "aggressive": R,
    }
    asked = [
        Opening(AT, 500, Mode.INIT, Ending.GRANTED),
        Opening(AT, 500, Mode.MAIN, Ending.UNSUPPORTED),
    ]
    return replace(fold(GATEWAY, AT, asked), **(told | changes))


def blank_ike() -> IkeObservation:
    """A gateway that speaks IKE and told nothing."""
    return fold(GATEWAY, AT, [Opening(AT, 500, Mode.INIT, Ending.OTHER)])


def gateway_look(seen: IkeObservation | None = None) -> Look:
    """A look at an IPsec gateway, in which all is well unless said otherwise."""
    return Look(Target(GATEWAY, Scope.ADDRESS), {"ike": seen or ike_observation()})


def scan(*looks: Look, **changes: Any) -> Scan:
    """A scan of *looks*, of one good endpoint where there are none."""
    told: dict[str, Any] = {
        "at": AT,
        "version": "0",
        "looks": looks
        or (
            good_look(),
            names_look(),
            domain_look(),
            address_look(),
            turn_look(),
            quic_look(),
        ),
        "profile": DEFAULT_PROFILE,
        "checklists": ("vendor-138",),
        "subjects": tuple(SUBJECTS),
        "standpoint": Standpoint(("192.0.2.9",), "192.0.2.53", "50.0.0"),
    }
    return Scan(**(told | changes))


def said(words: Phrase) -> str:
    """The sentence in English."""
    return voice("en")(words.template, **words.values)
