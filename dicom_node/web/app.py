"""The web application: routes, guard and collaborators put together. Shell; nothing opens at import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib import resources

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from db.engine import NO_DATABASE, Sessions, utc_now
from db.errors import NodeError
from db.files import FileStore
from dicom_node.web.forms import Forms
from dicom_node.web.guard import Guard
from dicom_node.web.pages import Pages
from dicom_node.web.rendering import environment
from dicom_node.web.settings import Actions, WebSettings
from dicom_node.web.throttle import Throttle


def create_app(
    settings: WebSettings,
    sessions: Sessions,
    files: FileStore,
    actions: Actions,
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """The pages, their buttons, /healthz and /metrics, as an ASGI application."""
    templates = environment()
    stylesheet = resources.files("dicom_node.web").joinpath("static/style.css").read_text("utf-8")
    throttle = Throttle()
    pages = Pages(settings, sessions, files, templates, clock)

    def login_page(style_nonce: str, status: int, message: str) -> Response:
        html = templates.get_template("login.html").render(
            style_nonce=style_nonce, message=message, stylesheet=stylesheet, locked=not settings.token
        )
        return HTMLResponse(html, status)

    def answer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, NodeError)  # noqa: S101
        return pages.error(request, error)

    def answer_without_database(request: Request, error: Exception) -> Response:
        return pages.without_database(request)

    return Starlette(
        routes=[
            Route("/healthz", pages.healthz),
            Route("/metrics", pages.metrics),
            Route("/", pages.overview),
            Route("/running", pages.running),
            Route("/studies", pages.studies),
            Route("/studies/{study_instance_uid}", pages.study),
            Route("/release", pages.release),
            Route("/lesions", pages.lesions),
            Route("/drawings/{kind}/{key}", pages.drawing),
            Route("/pictures/{kind}/{key}.png", pages.picture),
            Route("/deliveries", pages.deliveries),
            Route("/destinations/{name}", pages.destination),
            Route("/refusals", pages.refusals),
            Route("/rejections", pages.rejections),
            *Forms(settings, sessions, actions, login_page, throttle, clock).routes(),
            Mount("/static", StaticFiles(packages=[("dicom_node.web", "static")])),
        ],
        middleware=[Middleware(Guard, settings=settings, login=login_page, throttle=throttle, clock=clock)],
        exception_handlers={NodeError: answer_error, **dict.fromkeys(NO_DATABASE, answer_without_database)},
    )
