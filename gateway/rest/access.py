"""Who may use the interface: clients of this machine, those of others if they may, and users."""

import hmac
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from secrets import token_urlsafe

from werkzeug import Request, Response

from gateway.config.models import Http

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ASK = {"WWW-Authenticate": 'Basic realm="DICOM gateway", charset="UTF-8"'}
# Load balancers and orchestrators ask these: they tell nothing of what is stored.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})


class Access:
    """What the configuration says about who may ask for anything."""

    def __init__(self, settings: Http) -> None:
        self._remote_access = settings.remote_access
        self._users: Mapping[str, bytes] = {
            name: password.get_secret_value().encode() for name, password in settings.users.items()
        }
        # Compared with when there is no such user, so that trying takes as long as for one.
        self._nobody = token_urlsafe().encode()

    def refusal(self, request: Request) -> Response | None:
        """The answer to who may not ask; else None, and REMOTE_USER is who has signed in."""
        if request.path in OPEN_PATHS:
            return None
        if not self._remote_access and not is_local(request.remote_addr or ""):
            return Response(status=403)
        if self._users and not self._has_signed_in(request):
            return Response(status=401, headers=_ASK)
        if _is_made_by_another_site(request):
            return Response(status=403)
        return None

    def _has_signed_in(self, request: Request) -> bool:
        try:
            given = request.authorization
        except ValueError:  # werkzeug's, of characters that base64 has not
            return False
        if given is None or given.type != "basic":
            return False
        name, password = given.username or "", (given.password or "").encode()
        if not hmac.compare_digest(self._users.get(name, self._nobody), password):
            return False
        request.environ["REMOTE_USER"] = name
        return True


@lru_cache(maxsize=1024)
def is_local(address: str) -> bool:
    """Whether an address is of this machine itself, as it sees itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    # A socket that listens on "::" sees IPv4 clients as ::ffff:127.0.0.1.
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback


def _is_made_by_another_site(request: Request) -> bool:
    """A page of another site makes its reader's browser change something here.

    The browser may run on this machine, or remember a password; it tells where the page is from.
    """
    is_change = request.method not in _SAFE_METHODS
    return is_change and request.headers.get("Sec-Fetch-Site") == "cross-site"
