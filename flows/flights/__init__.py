"""The demo: a flow over real flights. `flow` is it, `demo_start` where its replay begins, `demo_summary` sums up its errors."""

from flows.flights.score import demo_summary
from flows.flights.tasks import demo_start, flow

__all__ = ["demo_start", "demo_summary", "flow"]
