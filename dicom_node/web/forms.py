"""The buttons' endpoints: a form → one transaction → back to the page with a sentence, by POST. Shell.

A browser must send the form token of its session. A client with the Bearer token needs none, because no foreign page
can make a browser send that header; it gets the sentence as plain text.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from db import categories, registry
from db.engine import Sessions
from db.errors import NodeError, RequestError
from db.findings import NAMELESS
from dicom_node import acts
from dicom_node.web import access
from dicom_node.web.access import SESSION_FOR
from dicom_node.web.guard import COOKIE, LoginPage
from dicom_node.web.pages import READER_COOKIE, SAID_COOKIE
from dicom_node.web.settings import Actions, WebSettings
from dicom_node.web.throttle import Throttle

log = logging.getLogger(__name__)

ACTOR = NAMELESS
"""Whoever has the token: the page knows no persons but those who name themselves."""
READER_LENGTH = 64
KEPT = "keep:"
"""Begins the name of the tick box of a finding; its id follows."""

Form = Mapping[str, str]
Press = Callable[[Session, datetime, Mapping[str, str], Form], str]
"""(session, now, path parameters, form) -> what will happen, as a sentence."""


class Forms:
    """The endpoints of everything that changes something."""

    def __init__(
        self,
        settings: WebSettings,
        sessions: Sessions,
        actions: Actions,
        login_page: LoginPage,
        throttle: Throttle,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.sessions = sessions
        self.actions = actions
        self.login_page = login_page
        self.throttle = throttle
        self.clock = clock

    def routes(self) -> list[Route]:
        posts = [Route(path, self._pressing(press), methods=["POST"]) for path, press in PRESSES.items()]
        return [
            *posts,
            Route("/destinations/{name}/test", self.test, methods=["POST"]),
            Route("/login", self.login, methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    def _pressing(self, press: Press) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            form = await _texts(request)
            if not self._is_genuine(request, form):
                return _not_genuine()
            return await run_in_threadpool(self._write, request, press, form)

        return endpoint

    def _write(self, request: Request, press: Press, form: Form) -> Response:
        try:
            with self.sessions.begin() as session:
                said = press(session, self.clock(), request.path_params, form)
        except NodeError as error:
            return _answer(request, str(error), 409)
        log.info("web button path=%s", request.url.path)
        response = _answer(request, said, 200)
        if "reader" in form:
            response.set_cookie(
                READER_COOKIE, quote(_reader(form)), max_age=int(SESSION_FOR.total_seconds()), httponly=True,
                secure=self.settings.behind_proxy, samesite="strict",
            )  # fmt: skip
        return response

    async def test(self, request: Request) -> Response:
        """C-ECHO; its answer is the sentence, also when it failed."""
        if not self._is_genuine(request, await _texts(request)):
            return _not_genuine()
        name = request.path_params["name"]
        if self.settings.destination(name) is None:
            return _answer(request, f"{name} is not a peer of the configuration; there is nothing to test.", 409)
        return await run_in_threadpool(self._test, request, name)

    def _test(self, request: Request, name: str) -> Response:
        with self.sessions.begin() as session:
            acts.note(session, self.clock(), ACTOR, "test peer", name)
        try:
            return _answer(request, self.actions.echo(name), 200)
        except NodeError as error:
            return _answer(request, f"{name} does not answer: {error}", 409)

    async def login(self, request: Request) -> Response:
        form, address, now = await _texts(request), request.client.host if request.client else "unknown", self.clock()
        wait_s = self.throttle.wait_s(address, now)
        if wait_s:
            said = f"Too many wrong tokens came from this address; try again in {wait_s} s."
            return self.login_page(request.state.style_nonce, 429, said)
        if not access.token_matches(form.get("token", ""), self.settings.token):
            log.warning("web login with a wrong token from=%s", address)
            self.throttle.failed(address, now)
            return self.login_page(request.state.style_nonce, 401, "This is not the token.")
        self.throttle.succeeded(address)
        response = RedirectResponse("/", 303)
        cookie = access.issue_session(self.settings.token, now, secrets.token_hex(16))
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(SESSION_FOR.total_seconds()),
            secure=self.settings.behind_proxy,
            httponly=True,
            samesite="strict",
        )
        return response

    async def logout(self, request: Request) -> Response:
        if not self._is_genuine(request, await _texts(request)):
            return _not_genuine()
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE)
        response.delete_cookie(READER_COOKIE)
        return response

    def _is_genuine(self, request: Request, form: Form) -> bool:
        nonce: str | None = request.state.session
        return nonce is None or access.form_token_matches(form.get("form_token", ""), self.settings.token, nonce)


MOST_FIELDS = 1000
"""A tick box for each finding of a study, and little more."""


async def _texts(request: Request) -> dict[str, str]:
    """The text fields of a form; a file is none."""
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if not isinstance(value, UploadFile)}


def _not_genuine() -> Response:
    return PlainTextResponse("This form is not of your session; load the page again.\n", 403)


def _answer(request: Request, said: str, status: int) -> Response:
    """Back to the page that the button stood on, which shows the sentence; plain text for a client with a token."""
    if request.state.session is None:
        return PlainTextResponse(f"{said}\n", status)
    response = RedirectResponse(_page_of(request), 303)
    response.set_cookie(SAID_COOKIE, quote(said[:500]), max_age=60, httponly=True, samesite="strict")
    return response


def _page_of(request: Request) -> str:
    """Where the form says that its button stood (?back=); never another host."""
    back = urlsplit(request.query_params.get("back", "/"))
    path = back.path if back.path.startswith("/") and not back.path.startswith("//") else "/"
    return path + (f"?{back.query}" if back.query else "") + (f"#{back.fragment}" if back.fragment else "")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RequestError("there is no such row")
    return int(text)


# --- what each button does ---------------------------------------------------------------------------------------


def _ask(kind: str) -> Press:
    return lambda session, now, path, form: acts.ask(session, now, ACTOR, kind)[1]


def _move(button: str) -> Press:
    return lambda session, now, path, form: acts.move_delivery(
        session, now, ACTOR, button, _number(path["delivery_pk"])
    )


def _move_all(button: str) -> Press:
    def press(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
        moved = acts.move_all(session, now, ACTOR, button, path["name"])
        if not moved:
            raise RequestError(f"there is nothing to {button} for this destination", destination=path["name"])
        return f"{moved} {'delivery' if moved == 1 else 'deliveries'} to {path['name']} will begin at once."

    return press


def _choose(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    return acts.choose(session, now, ACTOR, _number(path["instance_pk"]))


def _promote(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    model = registry.promote(session, path["model_id"], ACTOR, now)
    return f"Model {model.model_id} reads new studies from now on; old studies are not analysed again."


def _rollback(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    model = registry.rollback(session, ACTOR, now)
    return f"Model {model.model_id}, which was in use before, reads new studies from now on."


def _rename(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    name = form.get("name", "")
    categories.rename(session, _number(path["category_id"]), name, ACTOR, now)
    return f"The category is now called {' '.join(name.split())}; no later run changes that."


def _retry_study(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    return acts.retry_study(session, now, ACTOR, path["study_instance_uid"])


def _reader(form: Form) -> str:
    """Whoever names himself in the form; empty if nobody does."""
    return " ".join(form.get("reader", "").split())[:READER_LENGTH]


def _actor(form: Form) -> str:
    """Who does it, as `audit` and `assessment` name them."""
    reader = _reader(form)
    return f"{reader} ({ACTOR})" if reader else ACTOR


def _judge(button: str) -> Press:
    return lambda session, now, path, form: acts.judge_finding(session, now, _actor(form), button, path["detection_id"])


def _release_findings(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    """What is ticked goes out; a form without tick boxes is of an analysis without findings."""
    ticked = {name.removeprefix(KEPT) for name in form if name.startswith(KEPT)}
    kept = acts.Kept(ticked, _number(form.get("edition", ""))) if "ticks" in form else None
    return acts.release_findings(session, now, _actor(form), path["analysis_id"], kept)


def _reject_all(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    return acts.reject_all(session, now, _actor(form), path["analysis_id"])


def _retry_results(session: Session, now: datetime, path: Mapping[str, str], form: Form) -> str:
    return acts.retry_results(session, now, _actor(form), path["analysis_id"])


PRESSES: dict[str, Press] = {
    "/tasks/categorise": _ask("categorise"),
    "/tasks/train": _ask("train"),
    "/categories/{category_id}/rename": _rename,
    "/models/{model_id}/promote": _promote,
    "/models/rollback": _rollback,
    "/studies/{study_instance_uid}/retry": _retry_study,
    "/instances/{instance_pk}/choose": _choose,
    "/findings/{detection_id}/reject": _judge("reject"),
    "/findings/{detection_id}/restore": _judge("restore"),
    "/findings/{detection_id}/accept": _judge("accept"),
    "/analyses/{analysis_id}/release": _release_findings,
    "/analyses/{analysis_id}/reject": _reject_all,
    "/analyses/{analysis_id}/retry": _retry_results,
    "/deliveries/{delivery_pk}/release": _move("release"),
    "/deliveries/{delivery_pk}/resend": _move("resend"),
    "/deliveries/{delivery_pk}/discard": _move("discard"),
    "/destinations/{name}/release": _move_all("release"),
    "/destinations/{name}/resend": _move_all("resend"),
}
