"""`wavedeck doctor`: what is in place, what is not, and what to do."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, show, version_option

if TYPE_CHECKING:
    from engine.doctor import Finding

GLYPHS = {"ok": "✓", "warn": "!", "FAIL": "✗", "skip": "–"}
ASCII = {"ok": "+", "warn": "!", "FAIL": "x", "skip": "-"}


@click.command()
@click.option("--flow", default=None, help="Only this flow's next wave.")
@version_option
@json_option
def doctor(flow: str | None, version: str | None, as_json: bool) -> None:
    """Looks whether Redis, its settings, its memory, the workers and ECS are as waves need them. Exit 1 when something is wrong."""
    findings = _findings(version, flow)
    show(findings, as_json, _print)
    if any(finding.level == "FAIL" for finding in findings):
        raise click.exceptions.Exit(1)


def _findings(version: str | None, flow: str | None) -> "list[Finding]":
    from engine.doctor import Finding, diagnose
    from engine.errors import WavedeckError
    from engine.fleet.embedded import redis_server
    from engine.store.connect import connect

    read_only = bool(click.get_current_context().find_root().params.get("read_only"))
    try:
        with redis_server(start=False) as server:
            redis = connect(server.url, timeout=3, retries=0, read_only=read_only)
            try:
                return diagnose(redis, server.url, version=version, flow=flow, environment=os.environ)
            finally:
                redis.close()
    except WavedeckError as e:
        return [Finding("redis", "FAIL", str(e))]


def _print(findings: "Sequence[Finding]") -> None:
    from console.widgets.text import clean

    glyphs = ASCII if os.environ.get("WAVEDECK_GLYPHS") == "ascii" else GLYPHS
    width = max(len(finding.name) for finding in findings)
    for f in findings:
        advice = f" → {f.advice}" if f.advice else ""
        click.echo(f"{glyphs[f.level]} {f.level:<4}  {clean(f.name):<{width}}  {clean(f.found + advice)}")


COMMANDS: tuple[click.Command, ...] = (doctor,)
