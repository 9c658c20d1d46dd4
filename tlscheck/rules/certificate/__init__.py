"""What is good in certificates. Judged are the chains that answer to the asked name."""

from tlscheck.rules.certificate import leaf, sent, trust

MODULES = (trust, leaf, sent)
