"""The second opinion: all suites and groups, as sslyze finds them."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from typing import Any

from tlscheck.model import State
from tlscheck.probes.child.connections import connectivity
from tlscheck.probes.child.order import Order, current, say


def enumerate_suites(order: Order) -> None:
    """Ask for every suite and curve that sslyze knows, one connection each."""
    from sslyze.plugins.elliptic_curves_plugin import SupportedEllipticCurvesImplementation
    from sslyze.plugins.openssl_cipher_suites import implementation

    info = connectivity(order, order.place, order.version)
    with concurrent.futures.ThreadPoolExecutor(order.width) as pool:
        for version, command in (
            ("TLS 1.3", implementation.Tlsv13ScanImplementation),
            ("TLS 1.2", implementation.Tlsv12ScanImplementation),
            ("TLS 1.1", implementation.Tlsv11ScanImplementation),
            ("TLS 1.0", implementation.Tlsv10ScanImplementation),
            ("SSL 3.0", implementation.Sslv30ScanImplementation),
            ("SSL 2.0", implementation.Sslv20ScanImplementation),
        ):
            jobs = command.scan_jobs_for_scan_command(info)
            _report(version, "suites", pool.map(_suite_result, jobs))
        curves = SupportedEllipticCurvesImplementation.scan_jobs_for_scan_command(info)
        _report(order.version, "groups", pool.map(_curve_result, curves))


def _report(version: str, dimension: str, results: Iterator[tuple[str, State] | None]) -> None:
    states = dict(result for result in results if result)
    say(kind="second", version=version, dimension=dimension, states=states)


def _suite_result(job: Any) -> tuple[str, State] | None:
    """What became of one suite; none for one that this OpenSSL cannot offer."""
    from sslyze.connection_helpers.tls_connection import NoCiphersAvailableBugInSSlyze
    from sslyze.plugins.openssl_cipher_suites._test_cipher_suite import CipherSuiteAcceptedByServer

    current.question = "suites"
    name: str = job.function_arguments[2].name
    try:
        result = job.function_to_call(*job.function_arguments)
    except NoCiphersAvailableBugInSSlyze:
        return None
    except Exception:  # noqa: BLE001 - sslyze may raise anything
        return name, State.UNKNOWN
    if isinstance(result, CipherSuiteAcceptedByServer):
        return name, State.ACCEPTED
    # sslyze counts silence as a refusal.
    timed_out = "timed out" in result.error_message
    return name, State.UNKNOWN if timed_out else State.REFUSED


_GROUPS = {"X25519": "x25519", "X448": "x448"}
"""IANA's names where they differ from sslyze's."""


def _curve_result(job: Any) -> tuple[str, State] | None:
    current.question = "groups"
    try:
        result = job.function_to_call(*job.function_arguments)
    except Exception:  # noqa: BLE001 - sslyze may raise anything
        return None
    name: str = result.curve.name
    state = State.ACCEPTED if result.was_accepted_by_server else State.REFUSED
    return _GROUPS.get(name, name), state
