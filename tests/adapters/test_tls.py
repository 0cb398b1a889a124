"""Servers are verified as curl and kubectl verify them."""

from __future__ import annotations

import logging
import ssl

import pytest

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.tls import certificates, client_context

BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_text_around_the_certificates_of_a_bundle_is_ignored(authority, encoding):
    bundle = f"# Kovács Root\n\n{authority.pem}\n# Kovács again\n{authority.pem}é".encode(encoding)
    assert certificates(bundle) == authority.pem * 2
    assert certificates("# Kovács\r\n".encode(encoding) + authority.pem.replace("\n", "\r\n").encode())
    assert certificates(b"\xff\xfe nothing") == ""


def test_a_broken_certificate_does_not_cost_the_others(authority):
    assert client_context(BROKEN + authority.pem).cert_store_stats()["x509_ca"] == 1
    with pytest.raises(ConfigError, match="holds no PEM certificate"):
        client_context(BROKEN)


@pytest.mark.parametrize("is_own", [True, False])
def test_an_authority_without_a_key_identifier_is_accepted_and_the_log_says_so(authority, caplog, is_own):
    caplog.set_level(logging.INFO, "emqx_tui")
    context = client_context(authority.pem if is_own else "")
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert "authorities without a key identifier are accepted" in caplog.text
