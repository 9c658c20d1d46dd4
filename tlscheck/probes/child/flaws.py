"""Renegotiation, Heartbleed and ROBOT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tlscheck.model import State
from tlscheck.probes.child.connections import (
    close,
    connectivity,
    messages,
    opened,
    opened_somehow,
    prepared,
    tapped,
    version_of,
)
from tlscheck.probes.child.order import Order, Said, Unsettled

if TYPE_CHECKING:
    from sslyze.connection_helpers.tls_connection import SslConnection


_ALLOW_UNSAFE_LEGACY_RENEGOTIATION = 0x00040000


def renegotiation(order: Order) -> Iterator[Said]:
    """Whether a client may renegotiate."""
    connection, legacy = opened_somehow(order)
    yield asked_to_renegotiate(order, connection, legacy)
    close(connection)


_REFUSALS = (
    "no renegotiation",
    "handshake failure",
    "alert unexpected message",
    "illegal parameter",
    "insufficient security",
    "protocol version",
)
"""Alerts that refuse."""
_HANGINGS_UP = (
    "Nassl SSL handshake failed",
    "shut down by peer",
    "alert internal error",
    "alert unrecognized name",
    "alert access denied",
    "alert user cancelled",
    "unexpected record",
    "wrong version number",
    "bad record mac",
)
"""What refuses only when it happens twice (OSErrors too)."""


def asked_to_renegotiate(order: Order, connection: SslConnection, legacy: bool) -> Said:
    """What became of a renegotiation on an open connection."""
    state = _renegotiated(connection)
    if state is State.UNKNOWN:
        again = opened(order, order.place, order.version, legacy=legacy)
        state = _renegotiated(again)
        close(again)
        if state is State.UNKNOWN:
            state = State.REFUSED
    return "client_renegotiation", state, ""


def _renegotiated(connection: SslConnection) -> State:
    """Ask once for a renegotiation; unknown when the server hung up without saying no."""
    from nassl._nassl import OpenSSLError

    client: Any = connection.ssl_client
    try:
        client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)
        client._ssl.renegotiate()
        client.do_handshake()
    except TimeoutError:
        raise Unsettled("the server is silent when asked to renegotiate") from None
    except OpenSSLError as error:
        if any(refusal in str(error) for refusal in _REFUSALS):
            return State.REFUSED
        if any(hanging_up in str(error) for hanging_up in _HANGINGS_UP):
            return State.UNKNOWN
        raise
    except OSError:
        return State.UNKNOWN
    return State.ACCEPTED


def heartbleed(order: Order) -> Iterator[Said]:
    """Whether a heartbeat is answered with more than it brought (CVE-2014-0160)."""
    # sslyze leaves the server name out, as some old servers want; those that cannot do without it
    # refuse the hello, which says nothing of the heartbeat.
    for named in (False, True):
        connection = prepared(order, order.place, order.version, named=named)
        if _bleeds(connection):
            yield "heartbleed", State.ACCEPTED, ""
            return
        if any(kind == 14 for kind, _ in messages(tapped(connection).received)):  # ServerHelloDone
            yield "heartbleed", State.REFUSED, ""
            return
        if order.place.sni is None:
            break
    raise Unsettled("the server ended the handshake before the heartbeat could be answered")


def _bleeds(connection: SslConnection) -> bool:
    from sslyze.plugins import heartbleed_plugin

    client: Any = connection.ssl_client
    try:
        connection._do_pre_handshake()
        heartbleed_plugin._do_handshake_with_heartbleed(client)  # type: ignore[no-untyped-call]
    except heartbleed_plugin._VulnerableToHeartbleed:
        return True
    except heartbleed_plugin._NotVulnerableToHeartbleed:
        return False
    finally:
        close(connection)
    raise Unsettled("the heartbeat was not judged")


def robot(order: Order) -> Iterator[Said]:
    """Whether answers to bad RSA padding differ (ROBOT)."""
    from sslyze.plugins.robot import _robot_tester as tester

    # Without an identity and strictly: the forged key exchange is no answer to a server that
    # wants a certificate first, and all its answers would be alike for that reason.
    info = connectivity(order, order.place, order.rsa_version, strict=True, patience=2)
    version = version_of(order.rsa_version)
    for suites in ("AES128-GCM-SHA256:AES256-GCM-SHA384", "RSA"):
        if suites != "RSA" and order.rsa_version != "TLS 1.2":
            continue
        if key := tester._get_rsa_parameters(info, version, suites):
            break
    else:
        raise Unsettled("no handshake with RSA key exchange")
    runs: list[dict[Any, str]] = []
    for _ in range(2):
        runs.append(tester._run_oracle_detection(info, version, suites, key.n, key.e, True))
        if not all(runs[-1].values()):
            raise Unsettled("the server did not come to the key exchange")
    if len(set(runs[0].values()) | set(runs[1].values())) > 1:
        runs.append(tester._run_oracle_detection(info, version, suites, key.n, key.e, True))
    responses = {payload: [run[payload] for run in runs] for payload in runs[0]}
    verdict = tester.RobotServerResponsesAnalyzer(responses, len(runs)).compute_result_enum()
    if verdict is tester.RobotScanResultEnum.UNKNOWN_INCONSISTENT_RESULTS:
        raise Unsettled("the server's answers differ from one time to the next")
    sound = verdict is tester.RobotScanResultEnum.NOT_VULNERABLE_NO_ORACLE
    yield "robot", State.REFUSED if sound else State.ACCEPTED, ""
