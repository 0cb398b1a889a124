"""TLS as curl and kubectl verify it.

Owns the contexts that prove servers: API servers, and EMQX behind https. Two habits of other clients are kept that
Python lacks or gave up: text around the certificates of a bundle is ignored, and an authority need not follow RFC 5280
to the letter (since 3.13 Python refuses one without a key identifier).
"""

from __future__ import annotations

import contextlib
import logging
import re
import ssl

from emqx_tui.adapters.errors import ConfigError

logger = logging.getLogger(__name__)

_CERTIFICATE = re.compile(rb"^-----BEGIN CERTIFICATE-----\s[^-]*-----END CERTIFICATE-----", re.MULTILINE)


def certificates(bundle: bytes) -> str:
    """The PEM certificates of a bundle without the text around them; empty when there is none."""
    return "".join(block.decode("ascii") + "\n" for block in _CERTIFICATE.findall(bundle) if block.isascii())


def client_context(ca_pem: str = "") -> ssl.SSLContext:
    """Checks a server against `ca_pem`, or without it against this machine's authorities. Raises ConfigError."""
    context = ssl.create_default_context() if not ca_pem else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    logger.info("certificates are checked as curl and kubectl do: authorities without a key identifier are accepted")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # As Go and curl: a bundle may hold an intermediate authority without its root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_pem:
        _trust(context, ca_pem)
    return context


def _trust(context: ssl.SSLContext, ca_pem: str) -> None:
    """Load each certificate by itself: one that cannot be read does not cost the others."""
    for block in _CERTIFICATE.findall(ca_pem.encode("ascii", "replace")):
        with contextlib.suppress(ssl.SSLError, ValueError):
            context.load_verify_locations(cadata=block.decode("ascii"))
    if not context.cert_store_stats()["x509"]:
        raise ConfigError("the certificate authority of the kubeconfig holds no PEM certificate")
