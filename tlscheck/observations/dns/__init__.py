"""What a domain's name servers say, asked directly: delegation, servers, DNSSEC, names, mail."""

from tlscheck.observations.dns.mail import Dmarc, Mail, MailHost, Spf, TransportPolicy
from tlscheck.observations.dns.seen import (
    Alias,
    DnsObservation,
    DomainName,
    Exchange,
    HttpsRecord,
    NameServer,
    Outcome,
    Pointer,
    Role,
    Server,
    Signed,
    Soa,
    Zone,
    network_of,
)
from tlscheck.observations.dns.standing import Security, Standing

__all__ = [
    "Alias",
    "Dmarc",
    "DnsObservation",
    "DomainName",
    "Exchange",
    "HttpsRecord",
    "Mail",
    "MailHost",
    "NameServer",
    "Outcome",
    "Pointer",
    "Role",
    "Security",
    "Server",
    "Signed",
    "Soa",
    "Spf",
    "Standing",
    "TransportPolicy",
    "Zone",
    "network_of",
]
