"""What gateways answer, by hand after `profiles/vpn/markers.toml`, and a server that says it.

Each reply is what a product's answer to one probe looks like, with what stands around the mark.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests import servers
from tests.identities import Certificate
from tests.make_chain import AT
from tests.servers import Server


@dataclass(frozen=True)
class Reply:
    """One answer."""

    body: str = ""
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    """Of a certificate, RFC 4514."""
    issuer: str = "CN=Somebody"


def page(body: str, title: str = "Login", status: int = 200, **fields: str) -> Reply:
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{title}</title></head>\n<body>{body}</body></html>\n"
    )
    told = (("Content-Type", "text/html"), *_fields(fields))
    return Reply(html, status, told)


def moved(location: str, status: int = 302, **fields: str) -> Reply:
    return Reply("", status, (("Location", location), *_fields(fields)))


def cookie(text: str, body: str = "") -> Reply:
    return page(body, Set_Cookie=f"{text}; path=/; secure; HttpOnly")


def server(name: str) -> Reply:
    return page("<h1>Welcome</h1>", Server=name)


def shown(subject: str, issuer: str = "CN=Somebody") -> Reply:
    return Reply(subject=subject, issuer=issuer)


def _fields(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name.replace("_", "-"), value) for name, value in fields.items())


HELLO = (
    "\x00\x00\x00\x05\x00\x00\x00\x06build\x00\x00\x00\x00\x00\x01\x00\x00%\x1d"
    "\x00\x00\x00\x06hello\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x14SoftEther VPN Server"
    "\x00\x00\x00\x07random"
)
PRELOGIN = (
    '<?xml version="1.0" encoding="UTF-8" ?>\n<prelogin-response>\n<status>Success</status>\n'
    "<authentication-message>Enter login credentials</authentication-message>\n"
    "<panos-version>1</panos-version>\n</prelogin-response>"
)
NO_CERTIFICATE = PRELOGIN.replace("Success", "Error").replace(
    "Enter login credentials", "Valid client certificate is required"
)
AUTH_REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<config-auth client="vpn" type="auth-request" aggregate-auth-version="2">\n'
    '<opaque is-for="sg"><tunnel-group>Default</tunnel-group></opaque></config-auth>'
)
MOVED = (
    "<html><head><title>301 Moved Permanently</title></head><body>\n<h1>Moved Permanently</h1>\n"
    'Moved to: <a href="/login.html">/login.html</a></body></html>'
)

REPLIES: dict[str, Reply] = {
    "fortinet.redirect": Reply(
        '<html><script type="text/javascript">\nif (window!=top) '
        'top.location=window.location;top.location="/remote/login";\n</script></html>'
    ),
    "fortinet.cookie": cookie("SVPNCOOKIE=", "<script>"),
    "fortinet.login": page('<script src="/sslvpn/js/login.js"></script>{"fgt_lang":"/lang/en"}'),
    "fortinet.server": server("xxxxxxxx-xxxxx"),
    "fortinet.certificate": shown(
        "CN=FGT60FTK20000001,OU=FortiGate,O=Fortinet,L=Sunnyvale,ST=California,C=US"
    ),
    "ivanti.redirect": moved("/dana-na/auth/url_default/welcome.cgi"),
    "ivanti.cookie": cookie("DSSignInURL=/"),
    "ivanti.title": page("", "Ivanti Connect Secure"),
    "ivanti.assets": page('<link rel="stylesheet" href="/dana-na/css/ds.css">', ""),
    "ivanti.upgrade": Reply(status=101, fields=(("Upgrade", "IF-T/TLS 1.0"),)),
    "cisco.redirect": Reply(
        "<html><script>document.location.replace('/+CSCOE+/logon.html')</script></html>"
    ),
    "cisco.cookie": cookie("webvpnlogin=1"),
    "cisco.location": moved("/+webvpn+/index.html", 301),
    "cisco.init": Reply(AUTH_REQUEST, fields=(("Content-Type", "text/xml"),)),
    "cisco.client-certificate": Reply(
        AUTH_REQUEST.replace("<opaque", "<client-cert-request></client-cert-request><opaque")
    ),
    "cisco.version": page("", X_Transcend_Version="1"),
    "cisco.server": server("Adaptive Security Appliance HTTP/1.1"),
    "cisco.certificate": shown("CN=ASA Temporary Self Signed Certificate"),
    "ocserv.hello": Reply(
        '<?xml version="1.0" encoding="UTF-8"?>\n<config-auth client="vpn" type="auth-request">'
        '\n<version who="sg">0.1(1)</version>\n<auth id="main"></auth></config-auth>'
    ),
    "globalprotect.portal": Reply(PRELOGIN),
    "globalprotect.gateway": Reply(PRELOGIN),
    "globalprotect.portal-certificate": Reply(NO_CERTIFICATE),
    "globalprotect.gateway-certificate": Reply(NO_CERTIFICATE),
    "globalprotect.title": page("", "GlobalProtect Portal"),
    "globalprotect.redirect": moved("/global-protect/login.esp"),
    "globalprotect.server": server("PanWeb Server/ - "),
    "globalprotect.certificate": shown("CN=7a2c9f01,O=Palo Alto Networks,L=Santa Clara,ST=CA,C=US"),
    "citrix.redirect": moved("/logon/LogonPoint/index.html"),
    "citrix.title": page("", "Citrix Gateway"),
    "citrix.words": page('<div class="_ctxstxt_NetscalerGateway"></div>'),
    "citrix.cookie": cookie("NSC_TMAS=0"),
    "citrix.via": page("", Via="NS-CACHE-10.0: 1"),
    "citrix.certificate": shown("CN=ns,OU=NS Internal,O=Citrix ANG,L=San Jose,ST=California,C=US"),
    "sonicwall.server-vpn": server("SonicWALL SSL-VPN Web Server"),
    "sonicwall.title": page("", "Virtual Office - Powered by SonicWall"),
    "sonicwall.redirect": moved("/workplace/access/home"),
    "sonicwall.script": page('<script src="/javascript/aventail.js"></script>'),
    "sonicwall.cookie": cookie("EXTRAWEB_STATE=1"),
    "sonicwall.server": server("SonicWALL"),
    "sonicwall.certificate-vpn": shown("CN=192.168.200.1,OU=SSL-VPN,O=SonicWALL,C=US"),
    "sonicwall.certificate": shown(
        "CN=192.168.168.168,OU=HTTPS Management Certificate for SonicWALL (self-signed),C=US"
    ),
    "f5.redirect": moved("/my.policy"),
    "f5.cookie": cookie("MRHSession=0"),
    "f5.server": server("BigIP"),
    "f5.balancer": cookie("BIGipServerpool_www=1677787402.36895.0000"),
    "checkpoint.server": server("CPWS"),
    "checkpoint.portal": page('<img src="/Login/images/companylogo.png">'),
    "checkpoint.extender": page("", "SSL Network Extender Login"),
    "checkpoint.hello": Reply(
        "(CCCserverResponse\n\t:ResponseHeader (\n\t\t:id (1)\n\t\t:return_code (600)\n\t)\n"
        "\t:ResponseData (\n\t\t:protocol_version (100)\n"
        "\t\t:supported_data_tunnel_protocols (\n\t\t\t: (IPSec)\n\t\t\t: (SSL)\n\t\t)\n\t)\n)\n"
    ),
    "checkpoint.client": Reply(
        "(CCCserverResponse\n\t:ResponseData (\n"
        "\t\t:supported_data_tunnel_protocols (\n\t\t\t: (IPSec)\n\t\t)\n\t)\n)\n"
    ),
    "sophos.userportal": page('<script src="/javascript/UserPortalLogin.js"></script>', "Sophos"),
    "sophos.vpnportal": page("", "VPN portal"),
    "sophos.certificate": shown("CN=SophosApplianceCertificate_C01,OU=OU,O=Sophos"),
    "sophos.cyberoam": page("", "Cyberoam SSL VPN Portal"),
    "watchguard.logon": page("", "User Authentication"),
    "watchguard.server": server("WatchGuard Firewall"),
    "watchguard.certificate": shown("CN=vpn", "CN=Fireware web CA,OU=Fireware,O=WatchGuard"),
    "watchguard.title": page("", "Fireware XTM User Authentication"),
    "array.redirect": moved("/prx/000/http/localhost/login"),
    "array.cookie": cookie("ANsession0123456789="),
    "array.login": page("<script>_AN_global_var_init();</script>"),
    "array.server": server("support@arraynetworks.net"),
    "zyxel.script": page('<script src="/ext-js/app/common/zyFunction.js"></script>'),
    "zyxel.title": page("", "USG FLEX 200"),
    "zyxel.server": server("ZyXEL SSLVPN Server"),
    "zyxel.certificate": shown("CN=usg60_B0B2DC000001"),
    "barracuda.cookie": cookie("SSLX_SSESHID=0"),
    "barracuda.redirect": moved("/default/showLogon.do"),
    "barracuda.words": page("<h2>Barracuda SSL VPN</h2>"),
    "barracuda.phion": cookie("sslvpn-authck-0=1"),
    "openvpn-access-server.server": server("OpenVPN-AS"),
    "openvpn-access-server.cookie": cookie(f"openvpn_sess_{'0a' * 16}=1"),
    "openvpn-access-server.title": page("", "OpenVPN Connect"),
    "softether.hello": Reply(HELLO, fields=(("Content-Type", "application/octet-stream"),)),
    "softether.page": page("", "SoftEther VPN Server", 202),
    "softether.field": page("", status=404, Keep_Alive="timeout=15; max=19"),
    "softether.error": page(
        "<HR><ADDRESS>HTTP Server at vpn.example Port 443</ADDRESS>", "404 Not Found", 404
    ),
    "softether.certificate": shown("CN=gate,O=gate,OU=gate,C=US"),
    "juniper.title": page("", "Log In - Juniper Web Device Manager"),
    "juniper.dynamic": page("<h1>Dynamic VPN</h1>"),
    "huawei.script": page('<script>var c = svn_getLoginContextValue("lang");</script>'),
    "huawei.cookie": cookie("UserID=0&SessionTest=1&SVN_SessionID=0"),
    "h3c.gateway": Reply("<data><gatewayinfo><auth>on</auth></gatewayinfo></data>"),
    "h3c.server": server("SSLVPN-Gateway/7.0"),
    "h3c.words": page("<h1>Welcome to SSL VPN</h1>"),
    "hillstone.redirect": Reply(MOVED, 301, (("Location", "/login.html"),)),
    "hillstone.words": page("Hillstone StoneOS Software Version 5.5"),
    "sangfor.login": page('<script>location.href="/por/login_psw.csp"</script>'),
    "sangfor.atrust": page("", "aTrust"),
    "stormshield.words": page("Stormshield Network Security"),
    "kerio.server-vpn": server("Kerio Clientless SSL-VPN"),
    "kerio.server": server("Kerio Control Embedded Web Server"),
    "draytek.certificate": shown(
        "CN=Vigor Router,OU=DrayTek Support,O=DrayTek Corp.,L=HuKou,ST=HsinChu,C=TW"
    ),
    "draytek.title": page("", "Vigor Login Page"),
    "draytek.server": server("DWS"),
    "yamaha.server": server("YAMAHA-RT"),
    "fujitsu.login": page('<form name="_fj_sslvpn_login">'),
    "fujitsu.server": server("NetShelter/VPN"),
    "nec.server": server("IX Series IX2215 (magellan-sec) Software"),
    "netgear.words": page("NETGEAR ProSafe VPN Firewall"),
    "aruba.words": page("Aruba Networks", status=401),
    "ahnlab.words": page("TrusGuard SSL VPN Client"),
    "axgate.style": page('<div class="axgate">'),
    "topsec.redirect": Reply('<script>window.location="/portal_default/index.html"</script>'),
    "topsec.cookie": cookie("topsecsvuilanguage=cn"),
    "ruijie.script": page("<script>rjsslvpn_encookie(1)</script>"),
    "leadsec.script": page('<script src="/vpn/user/common/js/leadsec.js"></script>'),
    "pfsense.certificate": shown("CN=gw,O=pfSense webConfigurator Self-Signed Certificate"),
    "pfsense.title": page("", "pfSense - Login"),
}
"""By mark. Icons are left out: their bodies are the makers' own."""


@cache
def issued(subject: str, issuer: str) -> bytes:
    """A certificate (DER) with those names."""
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(x509.Name.from_rfc4514_string(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(AT)
        .not_valid_after(AT + timedelta(days=30))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


# ---- a server --------------------------------------------------------------------------------


@dataclass
class Request:
    """A request as it came."""

    line: str
    fields: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def path(self) -> str:
        return self.line.split()[1]


@dataclass
class Said:
    """What was said to a server, in order."""

    requests: list[Request] = field(default_factory=list)
    bare: list[bytes] = field(default_factory=list)
    """What came without TLS."""

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.requests]


Answers = Callable[[Request], bytes | None]
"""What a server says to a request; ``None``: it closes without a word."""


def encoded(reply: Reply) -> bytes:
    body = reply.body.encode("latin-1")
    head = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in reply.fields)]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


NOT_FOUND = encoded(Reply("<h1>Not Found</h1>", 404, (("Server", "nginx"),)))


@contextlib.contextmanager
def gateway(
    certificates: Sequence[Certificate],
    answers: Answers,
    said: Said | None = None,
    configure: Callable[[ssl.SSLContext], None] | None = None,
) -> Iterator[Server]:
    """A server of HTTPS that answers as it is told, and keeps all that is said to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for certificate in certificates:
        context.load_cert_chain(certificate.cert, certificate.key)
    if configure:
        configure(context)
    heard = Said() if said is None else said

    def handler(peer: socket.socket) -> None:
        peer.settimeout(10)
        first = peer.recv(65536, socket.MSG_PEEK)
        if first[:1] != b"\x16":
            if first:
                heard.bare.append(peer.recv(65536))
            return
        with context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False) as talk:
            try:
                talk.do_handshake()
            except ssl.SSLError:  # our alert is lost where something is left unread
                talk.shutdown(socket.SHUT_WR)
                while talk.recv(65536):
                    pass
                return
            while (request := _request(talk)) is not None:
                heard.requests.append(request)
                answer = answers(request)
                if answer is None:
                    return
                talk.sendall(answer)

    with servers.scripted(handler, "gateway") as started:
        yield started


def _request(talk: ssl.SSLSocket) -> Request | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = talk.recv(65536)
        if not data:
            return None
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    fields = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in rest)}
    size = min(int(fields.get("content-length", "0")), 65536)
    while len(body) < size and not line.startswith("SSTP"):
        data = talk.recv(65536)
        if not data:
            break
        body += data
        raw += data
    return Request(line, fields, body, raw)
