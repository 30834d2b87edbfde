"""The pages: work list, study, agreement and login, rendered on the server.

Nothing is shown without a login, and nothing changes but by a form with the session's token. Nothing comes from elsewhere: the
policy that every answer carries forbids it.
"""

import datetime
import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from absl import logging
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from fanogan_tf.data.dicom import read_image_dicom
from fanogan_tf.errors import UserError
from fanogan_tf.reading import agreement, views
from fanogan_tf.reading.finding import NOTICE
from fanogan_tf.reading.ledger import Instance, Ledger, State
from fanogan_tf.reading.page.users import Users
from fanogan_tf.reading.worklist import MOST_OF_A_NOTE, SORTED_BY, Filter, Row, Says, WorkList

_HERE = Path(__file__).parent
PER_PAGE = 100
_SESSION_SECONDS = 8 * 3600
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(ledger: Ledger, folder: Path, users: Users, ohif: str = "", secure: bool = False) -> Starlette:
    """The application over a node's ledger and folder; see `server.serve`. secure: whether it is reached by HTTPS alone."""
    pages = _Pages(WorkList(ledger), Path(folder), users, ohif)
    session = Middleware(
        SessionMiddleware,
        # Another one each time: whoever was logged in does so again.
        secret_key=secrets.token_hex(32),
        session_cookie="reading",
        max_age=_SESSION_SECONDS,
        same_site="strict",
        https_only=secure,
    )
    routes = [
        Route("/", pages.work_list),
        Route("/study", pages.study),
        Route("/call", pages.call, methods=["POST"]),
        Route("/films/{number:int}", pages.film),
        Route("/views/{number:int}/{name}", pages.view),
        Route("/agreement", pages.agreement),
        Route("/calls.csv", pages.calls),
        Route("/login", pages.login, methods=["GET", "POST"]),
        Route("/logout", pages.logout, methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    made = Starlette(routes=routes, middleware=[session], exception_handlers={HTTPException: pages.wrong})
    made.add_middleware(_Headers)
    return made


class _Headers:
    """Adds `_HEADERS` to every answer."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, with_headers)


def _for_readers(page: Callable[["_Pages", Request], Response]) -> Callable[["_Pages", Request], Awaitable[Response]]:
    """A page that only shows itself to who is logged in. It runs in a thread: databases and films take their time."""

    async def guarded(pages: "_Pages", request: Request) -> Response:
        if not request.session.get("reader"):
            if request.method != "GET":
                raise HTTPException(403, "log in first")
            return RedirectResponse("/login", 303)
        return await run_in_threadpool(page, pages, request)

    return guarded


class _Pages:
    """One function for each address."""

    def __init__(self, work: WorkList, folder: Path, users: Users, ohif: str):
        self.work, self.folder, self.users, self.ohif = work, folder, users, ohif.rstrip("/")
        self.templates = Jinja2Templates(_HERE / "templates")
        self.templates.env.globals |= {"NOTICE": NOTICE, "MOST_OF_A_NOTE": MOST_OF_A_NOTE}
        self.templates.env.filters |= {"moment": _moment, "day": _day, "percent": _percent}

    def _page(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        token = request.session.setdefault("token", secrets.token_urlsafe(16))
        known = {"reader": request.session.get("reader"), "token": token}
        return self.templates.TemplateResponse(request, name, known | values, status_code=status)

    @_for_readers
    def work_list(self, request: Request) -> Response:
        """The studies of a filter, those that are certainly normal apart."""
        chosen, asked = _filter(request)
        first = max(_number(request, "first", 0), 0)
        rows, count = self.work.rows(chosen, first, PER_PAGE), self.work.count(chosen)
        shown = [self._shown(row, asked) for row in rows]
        return self._page(
            request,
            "work_list.html",
            reading=[one for one in shown if not one["row"].certainly_normal],
            sure=[one for one in shown if one["row"].certainly_normal],
            count=count,
            first=first,
            asked=asked,
            states=list(State),
            sorts=SORTED_BY,
            before="?" + urlencode(asked | {"first": max(first - PER_PAGE, 0)}) if first else "",
            after="?" + urlencode(asked | {"first": first + PER_PAGE}) if first + PER_PAGE < count else "",
        )

    @_for_readers
    def study(self, request: Request) -> Response:
        """One study: a film, what is said of it, the calls, and the patient's other studies."""
        study = request.query_params.get("uid", "")
        row = self.work.row(study)
        if row is None:
            raise HTTPException(404, "no such study")
        chosen, asked = _filter(request)
        before, after = (_address(one, asked) if one is not None else "" for one in self.work.neighbours(study, chosen))
        instances = self.work.instances(study)
        scored = [one for one in instances if one.score is not None]
        number = _number(request, "image", scored[0].id if scored else 0)
        current = next((one for one in scored if one.id == number), scored[0] if scored else None)
        return self._page(
            request,
            "study.html",
            row=row,
            patient=views.patient(row.path),
            instances=instances,
            current=current,
            views=self._views(current) if current else (),
            address=_address(study, asked),
            asked=urlencode(asked),
            before=before,
            after=after,
            earlier=[self._shown(one, asked) for one in self.work.others(study)],
            calls=self.work.calls(study)[::-1],
            says=list(Says),
            ohif=f"{self.ohif}/viewer?StudyInstanceUIDs={quote(study)}" if self.ohif else "",
        )

    async def call(self, request: Request) -> Response:
        """Keeps a reader's call, and shows the study again."""
        form = await self._form(request)
        reader = request.session.get("reader")
        if not reader:
            raise HTTPException(403, "log in first")
        study, says = str(form.get("uid", "")), str(form.get("call", ""))
        if says not in list(Says) or await run_in_threadpool(self.work.row, study) is None:
            raise HTTPException(400, "no such study, or no such call")
        await run_in_threadpool(self.work.say, study, reader, Says(says), str(form.get("note", "")).strip())
        _, asked = _filter(request)
        return RedirectResponse(_address(study, asked), 303)

    @_for_readers
    def film(self, request: Request) -> Response:
        """The film as it was sent: rows of uint16, little-endian; their number and length are in the headers."""
        found = self._instance(request)
        try:
            pixels = read_image_dicom(Path(found.path))
        except UserError as error:
            # Of a volume, the B-scan that it is shown by.
            shown = views.results_of(self.folder, found) / "seen.png"
            if not shown.is_file():
                raise HTTPException(404, "the film is gone, or cannot be read") from error
            pixels = np.asarray(Image.open(shown)).astype(np.uint16) * np.uint16(257)
        size = {"X-Rows": str(pixels.shape[0]), "X-Columns": str(pixels.shape[1])}
        return Response(np.ascontiguousarray(pixels, "<u2").tobytes(), media_type="application/octet-stream", headers=size)

    @_for_readers
    def view(self, request: Request) -> Response:
        """One of `views.NAMES` of an instance, a PNG."""
        name = request.path_params["name"]
        path = views.results_of(self.folder, self._instance(request)) / f"{name}.png"
        if name not in views.NAMES or not path.is_file():
            raise HTTPException(404, "no such picture")
        return FileResponse(path)

    @_for_readers
    def agreement(self, request: Request) -> Response:
        """How far each reader and the model agree."""
        found = agreement.by_reader(self.work.calls(), self.work.called())
        return self._page(request, "agreement.html", found=found, says=list(Says))

    @_for_readers
    def calls(self, request: Request) -> Response:
        """All calls as CSV."""
        content = agreement.as_csv(self.work.calls(), self.work.called())
        return PlainTextResponse(
            content, media_type="text/csv", headers={"Content-Disposition": "attachment; filename=calls.csv"}
        )

    async def login(self, request: Request) -> Response:
        """The form, and what comes of it: a session, or why not."""
        if request.method == "GET":
            return self._page(request, "login.html", error="")
        form = await self._form(request)
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        who = name, request.client.host if request.client else ""
        if self.users.waits(*who):
            return self._page(request, "login.html", 429, error="Too many tries. Wait a minute.")
        if not await run_in_threadpool(self.users.right, name, password):
            self.users.failed(*who)
            logging.warning("a login failed")
            return self._page(request, "login.html", 401, error="Name and password do not belong together.")
        request.session.clear()  # A session that somebody else began ends here.
        request.session["reader"] = name
        return RedirectResponse("/", 303)

    async def logout(self, request: Request) -> Response:
        """Ends the session."""
        await self._form(request)
        request.session.clear()
        return RedirectResponse("/login", 303)

    async def wrong(self, request: Request, error: Exception) -> Response:
        """Whatever cannot be answered, in a page that says why."""
        assert isinstance(error, HTTPException)
        return self._page(request, "wrong.html", error.status_code, error=error.detail)

    async def _form(self, request: Request) -> Any:
        """The form of a POST that comes from our own page.

        Raises:
          HTTPException: its token is not the session's.
        """
        form = await request.form(max_files=0, max_fields=10)
        token = request.session.get("token", "")
        if not token or not hmac.compare_digest(token.encode(), str(form.get("token", "")).encode()):
            raise HTTPException(403, "the page was too old; go back, load it again and send it once more")
        return form

    def _instance(self, request: Request) -> Instance:
        found = self.work.instance(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "no such image")
        return found

    def _views(self, instance: Instance) -> list[str]:
        folder = views.results_of(self.folder, instance)
        return [name for name in views.NAMES if (folder / f"{name}.png").is_file()]

    def _shown(self, row: Row, asked: dict[str, str]) -> dict[str, Any]:
        return {"row": row, "patient": views.patient(row.path), "address": _address(row.study, asked)}


def _filter(request: Request) -> tuple[Filter, dict[str, str]]:
    """What the address asks for, and its own parameters; what is not one of our words counts as not asked for."""
    asked = {}
    state, sort = request.query_params.get("state", ""), request.query_params.get("sort", "")
    if state in list(State):
        asked["state"] = state
    if sort in SORTED_BY:
        asked["sort"] = sort
    moments = {}
    for name, days in (("since", 0), ("until", 1)):
        try:
            day = datetime.date.fromisoformat(request.query_params.get(name, ""))
            moment = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(days=days)
            moments[name] = moment.timestamp()
        except (ValueError, OverflowError):
            continue
        asked[name] = day.isoformat()
    return Filter(asked.get("state", ""), moments.get("since"), moments.get("until"), asked.get("sort", SORTED_BY[0])), asked


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else otherwise


def _address(study: str, asked: dict[str, str]) -> str:
    return "/study?" + urlencode({"uid": study} | asked)


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _day(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
