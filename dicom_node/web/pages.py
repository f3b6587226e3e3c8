"""The pages: rows → HTML, by GET. Shell: every endpoint runs in a thread of its own and only reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from db.engine import Sessions, reading
from db.errors import NodeError, RequestError
from db.files import FileStore
from db.outcomes import DELIVERY_STATES
from dicom_node.comparison import Comparison
from dicom_node.web import (
    access,
    comparison_queries,
    delivery_queries,
    finding_queries,
    outcome_queries,
    queries,
    study_queries,
)
from dicom_node.web.attention import notices
from dicom_node.web.costly import Costly
from dicom_node.web.figures import Figure, drawn_detection, drawn_lesion
from dicom_node.web.metrics import NodeCollector, exposition
from dicom_node.web.pictures import figures, find_drawn, picture, whole_figure
from dicom_node.web.settings import WebSettings
from dicom_node.web.study_page import study_values

SAID_COOKIE = "lesion_node_said"
"""What the last button said; shown once."""
READER_COOKIE = "lesion_node_reader"
"""Who judged last in this browser."""
FIRST_ROWS = 12
"""Of each listing, on the one page."""
SHOWN = 8
"""Findings of each study on the page of what waits."""
THUMBNAIL_PX = 112.0
WHOLE_PX = 640.0
WITHOUT_DATABASE = "The database does not answer. The node waits for it and goes on by itself; try again in a moment."
RETRY_S = 10


class Pages:
    """The endpoints of everything that is only looked at."""

    def __init__(
        self,
        settings: WebSettings,
        sessions: Sessions,
        files: FileStore,
        templates: Environment,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.sessions = sessions
        self.files = files
        self.templates = templates
        self.clock = clock
        self.collector = NodeCollector(sessions, settings, clock)
        self.compared: Costly[dict[str, Comparison]] = Costly(clock)

    # --- without a page ---------------------------------------------------------------------------------------

    def healthz(self, request: Request) -> Response:
        """200 while the database answers; the only thing that is told to everybody."""
        try:
            with reading(self.sessions) as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return JSONResponse({"status": "the database does not answer"}, 503)
        return JSONResponse({"status": "ok"})

    def metrics(self, request: Request) -> Response:
        return Response(exposition(self.collector), media_type="text/plain; version=0.0.4; charset=utf-8")

    def picture(self, request: Request) -> Response:
        kind, key = request.path_params["kind"], request.path_params["key"]
        with reading(self.sessions) as session:
            content = picture(session, self.files, kind, key, whole="whole" in request.query_params)
        return Response(content, media_type="image/png")

    # --- pages ------------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        free = shutil.disk_usage(self.settings.data_dir).free
        now = self.clock()
        with reading(self.sessions) as session:
            state = outcome_queries.node_state(session, free, self.settings.min_free_bytes)
            lesions = queries.lesions(session, 1, FIRST_ROWS)
            generation = queries.newest_generation(session)
            categories = queries.categories(session, generation.label_generation) if generation else []
            values: dict[str, Any] = {
                "free_bytes": free,
                "notices": notices(state, now),
                "processes": state.processes,
                "way": outcome_queries.way_of_the_data(session),
                "studies": study_queries.studies(session, 1, "", FIRST_ROWS),
                "tasks": outcome_queries.tasks(session, 1, FIRST_ROWS),
                "open_tasks": outcome_queries.open_tasks(session),
                "audits": outcome_queries.audits(session, FIRST_ROWS),
                "lesions": lesions,
                "lesion_counts": queries.lesion_counts(session),
                "figures": self._lesion_figures(session, lesions.lines),
                "generation": generation,
                "categories": categories,
                "samples": self._sample_figures(session, categories),
                "models": outcome_queries.models(session),
                "rates": self.collector.rates.get(lambda: finding_queries.override_rates(session)),
                "compared": self._compared(session),
                "destinations": delivery_queries.destinations(session, self.settings.destinations),
                "pending": delivery_queries.deliveries(session, 1, "", "", FIRST_ROWS),
                "requests": delivery_queries.commitment_requests(session, FIRST_ROWS),
                "refusal_counts": queries.refusal_counts(session),
                "rejection_counts": queries.rejection_counts(session),
            }
        return self.page(request, "overview.html", **values)

    def running(self, request: Request) -> Response:
        """The part of the page that is fetched again while something runs."""
        with reading(self.sessions) as session:
            return self.page(request, "running.html", open_tasks=outcome_queries.open_tasks(session))

    def studies(self, request: Request) -> Response:
        show = request.query_params.get("show", "")
        with reading(self.sessions) as session:
            found = study_queries.studies(session, page_number(request), show)
        return self.page(request, "studies.html", studies=found, show=show, filters=study_queries.STUDY_FILTERS)

    def study(self, request: Request) -> Response:
        with reading(self.sessions) as session:
            values = study_values(session, self.settings, request.path_params["study_instance_uid"])
            drawings = [drawn_detection(row) for row in (*values["findings"], *values["unsure"])]
            drawn = self._lesion_figures(session, values["lesions"].lines) | figures(session, drawings, THUMBNAIL_PX)
        return self.page(request, "study.html", **values, figures=drawn)

    def release(self, request: Request) -> Response:
        """Everything that waits for a person to let it go."""
        with reading(self.sessions) as session:
            found = finding_queries.to_release(session, page_number(request))
            drawings = [drawn_detection(row) for line in found.lines for row in line.findings[:SHOWN]]
            drawn = figures(session, drawings, THUMBNAIL_PX)
        return self.page(request, "release.html", held=found, figures=drawn, shown=SHOWN)

    def lesions(self, request: Request) -> Response:
        with reading(self.sessions) as session:
            found = queries.lesions(session, page_number(request))
            drawn = self._lesion_figures(session, found.lines)
        return self.page(request, "lesions.html", lesions=found, figures=drawn)

    def drawing(self, request: Request) -> Response:
        """One lesion or detection on its whole image."""
        kind, key = request.path_params["kind"], request.path_params["key"]
        with reading(self.sessions) as session:
            drawn = find_drawn(session, kind, key)
            values: dict[str, Any] = {
                "drawn": drawn,
                "whole": whole_figure(session, drawn, WHOLE_PX),
                "figure": figures(session, [drawn], WHOLE_PX / 2).get(key),
                "facts": outcome_queries.facts_of(session, kind, key),
            }
        return self.page(request, "drawing.html", **values)

    def deliveries(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        with reading(self.sessions) as session:
            found = delivery_queries.deliveries(session, page_number(request), state)
        return self.page(request, "deliveries.html", deliveries=found, state=state, states=DELIVERY_STATES)

    def destination(self, request: Request) -> Response:
        name, state = request.path_params["name"], request.query_params.get("state", "")
        with reading(self.sessions) as session:
            lines = delivery_queries.destinations(session, self.settings.destinations)
            line = next((one for one in lines if one.name == name), None)
            if line is None:
                raise RequestError("there is no such destination", known=", ".join(one.name for one in lines))
            title = line.known.ae_title if line.known else ""
            values: dict[str, Any] = {
                "destination": line,
                "deliveries": delivery_queries.deliveries(session, page_number(request), state, name),
                "state": state,
                "commitments": delivery_queries.commitments(session, name, FIRST_ROWS),
                "requests": delivery_queries.commitment_requests(session, FIRST_ROWS, title) if title else [],
                "compared": self._compared(session) if line.known and line.known.mode == "shadow" else {},
            }
        return self.page(request, "destination.html", **values)

    def refusals(self, request: Request) -> Response:
        reason = request.query_params.get("reason", "")
        with reading(self.sessions) as session:
            found = queries.refusals(session, page_number(request), reason)
            counts = queries.refusal_counts(session)
        return self.page(request, "refusals.html", refusals=found, counts=counts, reason=reason)

    def rejections(self, request: Request) -> Response:
        reason = request.query_params.get("reason", "")
        with reading(self.sessions) as session:
            found = queries.rejections(session, page_number(request), reason)
            counts = queries.rejection_counts(session)
        return self.page(request, "rejections.html", rejections=found, counts=counts, reason=reason)

    # --- the frame --------------------------------------------------------------------------------------------

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A template with what all of them need; shows once what the last button said."""
        nonce = request.scope["state"].get("session")
        said = unquote(request.cookies.get(SAID_COOKIE, ""))
        html = self.templates.get_template(template).render(
            **values,
            settings=self.settings,
            now=self.clock(),
            said=said,
            reader=unquote(request.cookies.get(READER_COOKIE, "")),
            form_token=access.form_token(self.settings.token, nonce) if nonce else "",
        )
        response = HTMLResponse(html, status)
        if said:
            response.delete_cookie(SAID_COOKIE)
        return response

    def error(self, request: Request, error: NodeError) -> Response:
        """What was asked for cannot be shown, in a sentence."""
        return self._sentence(request, 404 if isinstance(error, RequestError) else 422, str(error))

    def without_database(self, request: Request) -> Response:
        """Nothing can be shown or done now; a browser and a scraper may come again soon."""
        response = self._sentence(request, 503, WITHOUT_DATABASE)
        response.headers["Retry-After"] = str(RETRY_S)
        return response

    def _sentence(self, request: Request, status: int, sentence: str) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return Response(f"{sentence}\n", status, media_type="text/plain")
        return self.page(request, "error.html", status, message=sentence)

    def _compared(self, session: Session) -> dict[str, Comparison]:
        return self.compared.get(lambda: comparison_queries.totals(session))

    def _lesion_figures(self, session: Session, rows: Any) -> dict[str, Figure]:
        return figures(
            session, [drawn_lesion(row) for row in rows if row.image_present and row.long_axis_px], THUMBNAIL_PX
        )

    def _sample_figures(self, session: Session, categories: list[queries.CategoryLine]) -> dict[str, Figure]:
        wanted = [lesion_id for category in categories for lesion_id in category.samples]
        return self._lesion_figures(session, queries.lesions_by_id(session, wanted))


def page_number(request: Request) -> int:
    """From ?page=; what is no number is the first page."""
    given = request.query_params.get("page", "1")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 8 else 1
