"""The door of the web part: every response has the security headers, every request but /healthz the token. Shell."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import datetime
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicom_node.web import access
from dicom_node.web.settings import WebSettings
from dicom_node.web.throttle import Throttle

log = logging.getLogger(__name__)

COOKIE = "lesion_node_session"
OPEN_PATHS = ("/healthz", "/login")
"""/login takes the token itself in its form, and shows nothing without it."""

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'self'; style-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

LoginPage = Callable[[str, int, str], Response]
"""(style nonce, status, message) -> the form that asks for the token."""


class Guard:
    """ASGI middleware; puts `session` (its nonce, or None for a Bearer token) and `style_nonce` into request.state."""

    def __init__(
        self, app: ASGIApp, settings: WebSettings, login: LoginPage, throttle: Throttle, clock: Callable[[], datetime]
    ) -> None:
        self.app = app
        self.settings = settings
        self.login = login
        self.throttle = throttle
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        style_nonce = secrets.token_urlsafe(12)
        scope.setdefault("state", {})["style_nonce"] = style_nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY.format(nonce=style_nonce)
                for name, value in HEADERS.items():
                    headers[name] = value
                if self.settings.behind_proxy:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        app = self.app if self._may_enter(scope) else self._refusal(scope, style_nonce)
        await app(scope, receive, send_with_headers)

    def _may_enter(self, scope: Scope) -> bool:
        if scope["path"] in OPEN_PATHS:
            return True
        headers = Headers(scope=scope)
        given = headers.get("authorization", "")
        may_try = bool(given) and not self.throttle.wait_s(_address(scope), self.clock())
        if may_try and access.token_matches(access.bearer(given), self.settings.token):
            self.throttle.succeeded(_address(scope))
            scope["state"]["session"] = None
            return True
        nonce = access.session_nonce(_session_cookie(headers), self.settings.token, self.clock())
        scope["state"]["session"] = nonce
        return nonce is not None

    def _refusal(self, scope: Scope, style_nonce: str) -> Response:
        headers = Headers(scope=scope)
        if "authorization" in headers:
            wait_s = self.throttle.wait_s(_address(scope), self.clock())
            if wait_s:
                return PlainTextResponse("Too many wrong tokens.\n", 429, {"Retry-After": str(wait_s)})
            log.warning("web request with a wrong token from=%s", _address(scope))
            self.throttle.failed(_address(scope), self.clock())
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return self.login(style_nonce, 401, "")
        return PlainTextResponse("A token is needed.\n", 401, {"WWW-Authenticate": "Bearer"})


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("unknown",))[0])


def _session_cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:  # another application's cookie on the same host; ours is not readable behind it
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""
