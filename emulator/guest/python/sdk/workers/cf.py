"""`request.cf` of a request that arrived: what Cloudflare's local runtime says of every client.

Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/miniflare/src/cf.ts
"""

from __future__ import annotations

import copy
from typing import Any

from ..jsproxy import proxied

_NO_CERTIFICATE = {
    **{"certPresented": "0", "certVerified": "NONE", "certRevoked": "0"},
    **dict.fromkeys(("certIssuerDN", "certSubjectDN", "certIssuerDNRFC2253"), ""),
    **dict.fromkeys(("certSubjectDNRFC2253", "certIssuerDNLegacy", "certSubjectDNLegacy"), ""),
    **dict.fromkeys(("certSerial", "certIssuerSerial", "certSKI", "certIssuerSKI"), ""),
    **dict.fromkeys(("certFingerprintSHA1", "certFingerprintSHA256"), ""),
    **{"certNotBefore": "", "certNotAfter": ""},
}
_LOCAL = {
    "asOrganization": "",
    "asn": 395747,
    "colo": "DFW",
    "city": "Austin",
    "region": "Texas",
    "regionCode": "TX",
    "metroCode": "635",
    "postalCode": "78701",
    "country": "US",
    "continent": "NA",
    "timezone": "America/Chicago",
    "latitude": "30.27130",
    "longitude": "-97.74260",
    "clientTcpRtt": 0,
    "httpProtocol": "HTTP/1.1",
    "requestPriority": "weight=192;exclusive=0",
    "tlsCipher": "AEAD-AES128-GCM-SHA256",
    "tlsVersion": "TLSv1.3",
    "tlsClientAuth": _NO_CERTIFICATE,
    "edgeRequestKeepAliveStatus": 0,
    "clientTrustScore": 99,
    "botManagement": {
        "corporateProxy": False,
        "verifiedBot": False,
        "ja3Hash": "25b4882c2bcb50cd6b469ff28c596742",
        "staticResource": False,
        "detectionIds": [],
        "score": 99,
    },
}


def of_client() -> Any:
    """Return a new object of it."""
    return proxied(copy.deepcopy(_LOCAL), "request.cf")
