"""OpenTelemetry traces, if they are switched on and installed (``pip install unicart[otel]``).

Without that nothing of OpenTelemetry is imported, and a span costs nothing. Where the traces go is told by OpenTelemetry's own
variables (``OTEL_EXPORTER_OTLP_ENDPOINT`` and so on).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

NOT_INSTALLED = "UNICART_TRACES: OpenTelemetry is not installed. Install it with: pip install 'unicart[otel]'"

Kind = Literal["internal", "server", "client"]

_tracer: Any = None


class NotInstalled(Exception):
    """Traces are wanted, but the extra is missing."""


def set_up(service: str, version: str, exporter: Any = None) -> None:
    """Record traces from now on and send them to ``exporter``, by default OTLP over HTTP.

    Raises:
        NotInstalled: OpenTelemetry is missing.
    """
    global _tracer
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NotInstalled(NOT_INSTALLED) from error
    name = os.environ.get("OTEL_SERVICE_NAME", service)
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    _tracer = provider.get_tracer("unicart", version)


def on() -> bool:
    """Whether traces are recorded."""
    return _tracer is not None


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, str | int] | None = None,
    *,
    kind: Kind = "internal",
    headers: Mapping[str, str] | None = None,
) -> Iterator[Any]:
    """A span for the length of the block, below the one that ``headers`` name (``traceparent``) or that the task is in.

    Errors are not quoted in it, because they may quote what was sent. It is null if no traces are recorded.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind, StatusCode

    context = propagate.extract(headers) if headers else None
    with _tracer.start_as_current_span(
        name,
        context=context,
        kind=SpanKind[kind.upper()],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as started:
        try:
            yield started
        except Exception as error:
            started.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def ids() -> dict[str, str]:
    """The trace and the span that this task is in, as they are written in logs."""
    if _tracer is None:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
