"""The certificate with which the gateway shows who it is, ready for use."""

import ssl
from pathlib import Path


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer, as this Python's OpenSSL deems safe. Raises OSError.

    certificate: PEM, with those that lead to its root. private_key: PEM, without a passphrase.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, private_key, password=_no_passphrase)
    return context


def _no_passphrase() -> str:
    """Instead of OpenSSL's asking for it at the terminal."""
    raise ssl.SSLError(0, "the private key asks for a passphrase")
