"""Who may see the pages: the token, the session cookie, the form token. Pure.

A session is a signed cookie and not a row, so that any number of web processes accept each other's; its key is
derived from the token, so that a new token ends all sessions. The form token is bound to its session and stands in
every form: a foreign page can make a browser post, but cannot read that value.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from hashlib import sha256

SESSION_FOR = timedelta(hours=12)


def token_matches(given: str, token: str) -> bool:
    """Whether the right token was given, in a time that tells nothing of it; never where no token is set."""
    same = hmac.compare_digest(sha256(given.encode()).digest(), sha256(token.encode()).digest())
    return same and bool(token)


def bearer(authorization: str) -> str:
    """The token of an Authorization header (RFC 6750 2.1); empty where it holds none."""
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def issue_session(token: str, now: datetime, nonce: str) -> str:
    """The cookie of a new session. nonce: hexadecimal, from a strong generator."""
    content = f"{int((now + SESSION_FOR).timestamp())}.{nonce}"
    return f"{content}.{_sign(token, 'session', content)}"


def session_nonce(cookie: str, token: str, now: datetime) -> str | None:
    """The nonce of a session that we issued and that has not ended, else None."""
    content, _, signature = cookie.rpartition(".")
    expires, _, nonce = content.partition(".")
    if not token or not hmac.compare_digest(signature.encode(), _sign(token, "session", content).encode()):
        return None
    return nonce if int(expires) > now.timestamp() else None


def form_token(token: str, nonce: str) -> str:
    """The value that stands in every form of a session."""
    return _sign(token, "form", nonce)


def form_token_matches(given: str, token: str, nonce: str) -> bool:
    return hmac.compare_digest(given.encode(), form_token(token, nonce).encode())


def _sign(token: str, purpose: str, content: str) -> str:
    return hmac.new(token.encode(), f"lesion-node {purpose}\x1f{content}".encode(), sha256).hexdigest()
