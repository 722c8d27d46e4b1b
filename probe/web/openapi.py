"""The description of the API (OpenAPI 3.1), made of the table of its routes and of the types of its documents."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, TypedDict

import msgspec

from probe import __version__
from probe.core.access import Access
from probe.web.routes import Param, Route

T = dict[str, Any]
REF: Final = "#/components/schemas/{name}"


class Refusal(TypedDict):
    """What is refused: `error` says why, `hint` how to mend it."""

    ok: bool
    error: str
    hint: str


REASONS: Final = {
    400: "What was asked is not said as it must be.",
    401: "It needs a session, or a token.",
    403: "It needs an operator.",
    404: "There is no such thing.",
    413: "The body is too large.",
    422: "What was sent cannot be used.",
    503: "It cannot be read or written just now: try again.",
}


def description(routes: Iterable[Route], prefix: str = "") -> T:
    """The document, for addresses that begin with `prefix`."""
    table = [route for route in routes if route.about]
    types = {t for route in table for t in (route.answers, route.takes) if t is not None} | {Refusal}
    ordered = sorted(types, key=lambda t: t.__name__)
    references, components = msgspec.json.schema_components(ordered, ref_template=REF)
    named = dict(zip(ordered, references, strict=True))
    paths: dict[str, T] = {}
    for route in table:
        paths.setdefault(_path(route.path), {})[route.method.lower()] = _operation(route, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "probe",
            "version": __version__,
            "summary": "What is broken, for whom, since when, and why.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix or "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "probe_session"},
            },
        },
    }


def _operation(route: Route, named: dict[type, T]) -> T:
    operation: T = {
        "operationId": _name(route),
        "summary": route.about,
        "parameters": [_param(p, "path") for p in _in_path(route)] + [_param(p, "query") for p in route.params],
        "responses": {str(route.status): _success(route, named)},
    }
    for status in _refusals(route):
        content = {"application/json": {"schema": named[Refusal]}}
        operation["responses"][str(status)] = {"description": REASONS[status], "content": content}
    if route.method == "GET":
        operation["responses"]["304"] = {"description": "It is still what the `ETag` in `If-None-Match` says."}
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": named[route.takes]}}}
    if route.access is Access.PUBLIC:
        operation["security"] = []
    return operation


def _success(route: Route, named: dict[type, T]) -> T:
    if route.answers is None:
        return {"description": "The file, stream or document itself."}
    return {"description": "Done.", "content": {"application/json": {"schema": named[route.answers]}}}


def _refusals(route: Route) -> tuple[int, ...]:
    found = [400, 404, 503]
    if route.access is not Access.PUBLIC:
        found += [401, 403]
    if route.takes is not None:
        found += [413, 422]
    return tuple(sorted(found))


def _param(param: Param, place: str) -> T:
    return {
        "name": param.name,
        "in": place,
        "required": param.required or place == "path",
        "description": param.about,
        "schema": param.schema,
    }


def _in_path(route: Route) -> list[Param]:
    return [
        Param(name=name, schema={"type": "integer"} if name == "number" else {"type": "string"}, about=f"its {name}")
        for name in re.findall(r"\{(\w+)(?::[^}]*)?\}", route.path)
    ]


def _path(path: str) -> str:
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def _name(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api/v1"))
    return "_".join([route.method.lower(), *words])


@cache
def decoder(shape: type) -> "msgspec.json.Decoder[Any]":
    """What reads a body of a shape, and says where it is not so."""
    return msgspec.json.Decoder(shape)
