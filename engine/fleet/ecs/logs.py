"""Workers' lines from CloudWatch Logs. A stream is a worker's: `worker/worker/<task>`."""

from collections.abc import Iterator

from engine.fleet.ecs.calls import Aws
from engine.fleet.ecs.names import SERVICE
from engine.fleet.house import About, LogLine
from engine.fleet.lines import is_about, read_line

POLL = 2.0
"""Seconds between two looks at logs that are followed: CloudWatch allows five a second to a whole account."""
LATE = 30.0
"""Seconds that a line may take to get there; so far back a follower looks again."""
STREAM = f"{SERVICE}/{SERVICE}/"


def lines(aws: Aws, group: str, about: About, *, since: float, follow: bool) -> Iterator[LogLine]:
    """Lines of a group by time; with `follow` also what comes later, until the caller has enough.

    Raises:
        Missing: there is no such group.
    """
    request: dict[str, str] = {"logGroupName": group, "filterPattern": pattern(about)}
    if about.worker:
        request["logStreamNamePrefix"] = STREAM + about.worker
    start, seen = since, dict[str, float]()
    while True:
        newest = start
        for event in aws.pages("logs", "filter_log_events", "events", startTime=int(max(0.0, start) * 1000), **request):
            at = event["timestamp"] / 1000
            newest = max(newest, at)
            if event["eventId"] in seen:
                continue
            seen[event["eventId"]] = at
            line = read_line(event["logStreamName"].rpartition("/")[2], event["message"].rstrip("\n"), at)
            if is_about(line, about):
                yield line
        if not follow:
            return
        start = max(since, newest - LATE)
        seen = {name: at for name, at in seen.items() if at >= start}
        aws.sleep(POLL)


def pattern(about: About) -> str:
    """What CloudWatch is to look for; it may find more than is meant, never less, for it has no way to quote every text."""
    named = [(name, getattr(about, name)) for name in ("wave", "entity", "task")]
    terms = [f'($.{name} = "{text}")' for name, text in named if text and text.isascii() and not set(text) & set('"\\*')]
    return f"{{ {' && '.join(terms)} }}" if terms else ""
