"""What /metrics tells Prometheus. One registry per application, so that several can live in one process."""

from __future__ import annotations

from dataclasses import fields

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from app.retrieval.types import Took

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("route", "status")
        self._requests = Counter("beopgil_requests", "Requests answered", labels, registry=self.registry)
        self._latency = Histogram(
            "beopgil_request_seconds", "Seconds to answer", labels, buckets=SECONDS, registry=self.registry
        )
        self._stages = Histogram(
            "beopgil_stage_seconds", "Seconds per search stage", ("stage",), buckets=SECONDS, registry=self.registry
        )
        self.searches = Counter(
            "beopgil_searches",
            "Searches answered one by one: computed, shared with an equal one under way, or cached",
            ("outcome",),
            registry=self.registry,
        )
        self.ready = Gauge("beopgil_ready", "1 when models and index are loaded and warmed", registry=self.registry)

        self.reloads = Counter(
            "beopgil_reloads", "Reloads of the index, by what came of them", ("outcome",), registry=self.registry
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route, str(status)).observe(seconds)

    def search(self, took: Took) -> None:
        """Stages that did not run are not counted."""
        for field in fields(took):
            ms = getattr(took, field.name)
            if ms and field.name != "total":
                self._stages.labels(field.name).observe(ms / 1000)

    def text(self) -> bytes:
        return generate_latest(self.registry)
