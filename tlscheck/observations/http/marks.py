"""What stands in front of the server, by marks that it leaves unasked, and anybody can forge."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tlscheck.observations.http.conversation import Response
from tlscheck.observations.http.seen import Mark

# Passive marks only, no answer was provoked. Many of them were first collected by wafw00f
# (BSD-3-Clause, EnableSecurity). Kind, product, field, and how its value begins, as a pattern; of
# ``set-cookie`` it is the cookie's name.
MARKS: tuple[tuple[str, str, str, str], ...] = (
    ("cdn", "Cloudflare", "cf-ray", r""),
    ("cdn", "Cloudflare", "server", r"cloudflare"),
    ("cdn", "Amazon CloudFront", "x-amz-cf-id", r""),
    ("cdn", "Amazon CloudFront", "server", r"cloudfront"),
    ("cdn", "Amazon CloudFront", "via", r".*\(cloudfront\)"),
    ("cdn", "Fastly", "x-served-by", r"cache-"),
    ("cdn", "Fastly", "x-fastly-request-id", r""),
    ("cdn", "Akamai", "server", r"akamai"),
    ("cdn", "Akamai", "x-akamai-transformed", r""),
    ("cdn", "Azure Front Door", "x-azure-ref", r""),
    ("cdn", "Google", "via", r"1\.1 google"),
    ("cdn", "Edgecast", "server", r"ec[sd] \("),
    ("cdn", "KeyCDN", "server", r"keycdn"),
    ("cdn", "Limelight", "set-cookie", r"(limelight|l[mg]_sessid$)"),
    ("cdn", "CacheFly", "bestcdn", r"cachefly"),
    ("cdn", "CacheFly", "set-cookie", r"cfly_req"),
    ("cdn", "Azion", "x-azion-edge-pop", r""),
    ("cdn", "Azion", "x-azion-request-id", r""),
    ("cdn", "ArvanCloud", "server", r"arvancloud"),
    ("waf", "Scutum", "server", r"scutum"),
    ("waf", "Imperva", "x-iinfo", r""),
    ("waf", "Imperva", "set-cookie", r"(visid_incap|incap_ses)_"),
    ("waf", "Sucuri", "x-sucuri-id", r""),
    ("waf", "Sucuri", "x-sucuri-cache", r""),
    ("waf", "Sucuri", "server", r"sucuri"),
    ("waf", "Wallarm", "server", r"nginx-wallarm"),
    ("waf", "Reblaze", "set-cookie", r"rbzid$"),
    ("waf", "Reblaze", "server", r"reblaze secure web gateway"),
    ("waf", "FortiWeb", "set-cookie", r"fortiwafsid"),
    ("waf", "Barracuda", "set-cookie", r"(barra_counter_session|bni__barracuda)"),
    ("waf", "F5 ASM", "set-cookie", r"ts[0-9a-f]{6}([0-9a-f]{2})?$"),
    ("waf", "Airlock", "set-cookie", r"al_(sess|lb)"),
    ("waf", "NetScaler AppFirewall", "set-cookie", r"(ns_af|citrix_ns_id)"),
    ("waf", "Radware", "x-sl-compstate", r""),
    ("waf", "DDoS-Guard", "set-cookie", r"__ddg"),
    ("waf", "Huawei Cloud", "set-cookie", r"hwwafses"),
    ("waf", "Huawei Cloud", "server", r"huaweicloudwaf"),
    ("waf", "Profense", "set-cookie", r"plbsid$"),
    ("waf", "Profense", "server", r"profense"),
    ("waf", "Qrator", "server", r"qrator"),
    ("waf", "Link11", "server", r"rhino-core-shield"),
    ("waf", "Baffin Bay", "server", r"baffin-bay"),
    ("waf", "Variti", "server", r"variti"),
    ("proxy", "F5 BIG-IP", "set-cookie", r"bigipserver"),
    ("proxy", "AWS ALB", "set-cookie", r"awsalb"),
    ("proxy", "Envoy", "server", r"envoy"),
    ("proxy", "Kemp LoadMaster", "x-servedby", r"kemp-lm"),
    ("proxy", "IBM WebSEAL", "server", r"webseal"),
    ("proxy", "IBM DataPower", "x-backside-transport", r""),
)


def marks(responses: Iterable[Response]) -> tuple[Mark, ...]:
    """The marks that *responses* bear, in the table's order."""
    fields = [
        (name, value.partition("=")[0].strip() if name == "set-cookie" else value)
        for response in responses
        for name, value in response.fields
    ]
    return tuple(
        dict.fromkeys(
            Mark(kind, product)
            for kind, product, name, pattern in MARKS
            if any(name == n and re.match(pattern, v, re.IGNORECASE) for n, v in fields)
        )
    )
