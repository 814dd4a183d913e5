"""Bearer tokens: the user's id, the user's home region and an HMAC of both. Stateless, so any replica of any region can
check one and knows where its user's data is written.

They do not expire: logging out and revoking are not part of this system. A user's home never changes.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from reference_system.policies.regions import Region

KNOWN_AT_MOST = 20_000  # checked tokens that are remembered, so that most requests cost no hash
SEPARATOR = "~"  # between user and home; in no user's id, and the edge tells users apart by what comes before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    user: str
    home: Region


class Tokens:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._known: dict[str, Bearer] = {}

    def issue(self, user: str, home: str) -> str:
        """`user~home.signature`."""
        proved = f"{user}{SEPARATOR}{home}"
        return f"{proved}.{self._signature(proved)}"

    def bearer(self, authorization: str | None) -> Bearer | None:
        """Who an `Authorization` header proves to ask, or None."""
        if authorization is None or not authorization.startswith("Bearer "):
            return None
        token = authorization[len("Bearer ") :]
        return self._known.get(token) or self._checked(token)

    def _checked(self, token: str) -> Bearer | None:
        proved, _, signature = token.rpartition(".")
        user, _, home = proved.rpartition(SEPARATOR)
        if not user or not hmac.compare_digest(signature.encode(), self._signature(proved).encode()):
            return None
        if len(self._known) >= KNOWN_AT_MOST:
            self._known.clear()
        bearer = self._known[token] = Bearer(user=user, home=Region(home))
        return bearer

    def _signature(self, proved: str) -> str:
        return hmac.new(self._secret, proved.encode(), sha256).hexdigest()[:32]
