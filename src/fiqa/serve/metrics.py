"""Requests, images and passes → numbers that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from .. import __version__
from ..scorer import Scorer
from ..types import STATUSES, Quality

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
# the buckets that OpenTelemetry advises for http.server.request.duration
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self, scorer: Scorer) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        ProcessCollector(registry=registry)
        info = Info("fiqa_build", "What serves", registry=registry)
        info.info({"version": __version__, "model": scorer.card.name, "engine": scorer.engine})
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's first byte here to its answer's last",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter(
            "fiqa_images", "Faces and images answered, by status", ("status",), registry=registry
        )
        for status in STATUSES:
            self._images.labels(status)
        self._scores = Histogram(
            "fiqa_score", "Scores from 0 to 100", buckets=range(10, 101, 10), registry=registry
        )
        self._batches = Histogram(
            "fiqa_batch_size", "Faces per forward pass", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self._waits = Histogram(
            "fiqa_queue_seconds",
            "Time that an image waits, for decoding and for its pass",
            buckets=_SECONDS,
            registry=registry,
        )
        self._passes = Histogram(
            "fiqa_inference_seconds", "Time of a forward pass", buckets=_SECONDS, registry=registry
        )
        self.depth = Gauge("fiqa_queue_depth", "Images in flight", registry=registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; a ``method`` that is none of HTTP's is ``_OTHER``, as OpenTelemetry has it."""
        name = method if method in _METHODS else "_OTHER"
        self._requests.labels(name, route, str(status)).observe(seconds)

    def answered(self, qualities: Iterable[Quality]) -> None:
        """Count what was said of faces and images."""
        for quality in qualities:
            self._images.labels(quality.status).inc()
            if quality.score is not None:
                self._scores.observe(quality.score)

    def waited(self, seconds: float) -> None:
        """Note how long an image, or the crops of a request, waited."""
        self._waits.observe(seconds)

    def passed(self, n_faces: int, seconds: float) -> None:
        """Note a forward pass."""
        self._batches.observe(n_faces)
        self._passes.observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self._registry)
