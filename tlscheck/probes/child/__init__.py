"""The child process that sslyze lives in, run as ``python -m tlscheck.probes.child``.

It confines itself, imports sslyze, waits for one order (a JSON line on stdin) and writes JSON lines
to stdout: ``connect`` for each connection it is about to open, ``answer`` (or ``suites``) for each
question, ``end`` when all is done. sslyze and nassl are imported here and nowhere else, inside
functions: they carry OpenSSL 1.0.2e and 1.1.1w, parse what a stranger sends and may hang, so the
process has limits, holds no secrets and is killed by its parent when its time is over.
"""
