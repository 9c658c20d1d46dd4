"""What is good about the TLS of an endpoint."""

from tlscheck.rules.tls import handshake, offered

MODULES = (offered, handshake)
