"""Whom the gateway believes to be who they say they are, over TLS."""

import ssl
from functools import cache


@cache
def machine_trust() -> ssl.SSLContext:
    """The certificates that this machine trusts, for clients with no certificate of their own.

    One for all, as reading them takes 20 ms: leave it as it is.
    """
    return ssl.create_default_context()
