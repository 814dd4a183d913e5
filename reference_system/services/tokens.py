"""Bearer tokens: the user's id and an HMAC of it. Stateless, so any replica of any region can check one.

They do not expire: logging out and revoking are not part of this system.
"""

import hmac
from hashlib import sha256

KNOWN_AT_MOST = 20_000  # checked tokens that are remembered, so that most requests cost no hash


class Tokens:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._known: dict[str, str] = {}

    def issue(self, user: str) -> str:
        return f"{user}.{self._signature(user)}"

    def user_of(self, authorization: str | None) -> str | None:
        """The user that an `Authorization` header proves, or None."""
        if authorization is None or not authorization.startswith("Bearer "):
            return None
        token = authorization[len("Bearer ") :]
        return self._known.get(token) or self._checked(token)

    def _checked(self, token: str) -> str | None:
        user, _, signature = token.rpartition(".")
        if not user or not hmac.compare_digest(signature.encode(), self._signature(user).encode()):
            return None
        if len(self._known) >= KNOWN_AT_MOST:
            self._known.clear()
        self._known[token] = user
        return user

    def _signature(self, user: str) -> str:
        return hmac.new(self._secret, user.encode(), sha256).hexdigest()[:32]
