"""An application → its OpenAPI document, with the methods, gates and limits of the server that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .guards import OPEN
from .inference_protocol import ALIAS
from .service import Service

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def describe(app: FastAPI, service: Service) -> dict[str, Any]:
    """The OpenAPI document of ``app``, made once.

    What FastAPI can't know when the routes are written, since it is the scorer's, is filled in here.
    """
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        guarded = service.settings.keys is not None
        if guarded:
            document["components"]["securitySchemes"] = _SCHEMES
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if guarded and path not in OPEN:
                    operation["security"] = [{name: []} for name in _SCHEMES]
                _drop_unused(operation)
                methods = service.mapped if path == "/v1/explain" else service.scorer.specs
                _fill_parameters(operation, service, methods)
                _fill_form(operation, 1 if path == "/v1/explain" else service.settings.max_images)
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


def _drop_unused(operation: dict[str, Any]) -> None:
    """FastAPI says of any parameter that it may not fit, in a form of its own; names below /v2 always do."""
    schema = (
        operation["responses"].get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    if schema.get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]


def _fill_parameters(operation: dict[str, Any], service: Service, methods: Sequence[str]) -> None:
    scorer = service.scorer
    gates = [one.rule for one in scorer.calibration.thresholds] if scorer.calibration else []
    schemas: dict[str, dict[str, Any]] = {
        "method": {"type": "array", "items": {"enum": list(methods)}},
        "at": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"enum": gates}]},
        "model": {"enum": [scorer.card.name, ALIAS]},
    }
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = schemas.get(parameter["name"], parameter["schema"])


def _fill_form(operation: dict[str, Any], most: int) -> None:
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if form is not None:
        image = form["schema"]["properties"]["image"]
        operation["requestBody"]["content"]["multipart/form-data"] = {
            "schema": {**form["schema"], "properties": {"image": {**image, "maxItems": most}}}
        }
