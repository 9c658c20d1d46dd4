"""Whether a domain's DNS is sound, and leads nowhere that a stranger could take."""

from tlscheck.rules.dns import leads, mail, names, servers, signatures

MODULES = (servers, signatures, names, leads, mail)
