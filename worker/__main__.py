"""`python -m worker`: a worker of one version."""

import argparse
import logging
import os
import re
import secrets
import signal
import socket
import sys
from typing import NoReturn

from engine.errors import BadKey, WavedeckError
from engine.fleet.cpus import cpus
from engine.keys import check_name, check_version
from engine.load import load_flows
from engine.payload import max_value
from engine.plain import plain
from engine.store.claims import LEASE
from engine.store.connect import check, connect
from engine.store.room import room
from worker.health import Pulse
from worker.journal import set_up
from worker.sizing import MOST
from worker.slot import Settings
from worker.watcher import Watcher


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Wrong use: one sentence, exit 2."""
        self.exit(2, f"{self.prog}: {plain(message)}\n")


def main(argv: list[str] | None = None) -> int:
    """Runs the worker; its exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # until the watcher has its own: process 1 of a container would not hear it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])  # `wavedeck worker` keeps them until here
    parser = _Parser(prog="wavedeck worker", description="Collects compiled entities of a version and runs them.")
    parser.add_argument("--version", default=os.environ.get("WAVEDECK_VERSION", "main"), help="the version to serve (main)")
    parser.add_argument("--slots", type=int, default=cpus(), help="tasks at once; default: the CPUs it may use")
    parser.add_argument("--until-idle", action="store_true", help="end when nothing is left to do")
    parser.add_argument("--lease", type=float, default=LEASE, help="seconds that a claim lives without being renewed")
    parser.add_argument("--batch", type=int, default=MOST, help=f"entities that a slot claims at once, at most ({MOST})")
    parser.add_argument("--stop-timeout", type=float, default=110.0, help="seconds that SIGTERM leaves to what runs")
    parser.add_argument("--name", default=f"{_host()}-{secrets.token_hex(3)}", help="how it is called")
    args = parser.parse_args(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # a slot is a CPU; libraries that would take all of them slow each other down
    url = os.environ.get("WAVEDECK_REDIS_URL", "")
    if args.slots < 1:
        parser.error("--slots must be at least 1")
    if not 1 <= args.batch <= MOST:
        parser.error(f"--batch must be from 1 to {MOST}")
    if not args.lease >= 1:
        parser.error("--lease must be at least 1 second, several times what a batch takes")
    try:
        check_version(args.version)
        check_name(args.name, "the worker's name")
    except BadKey as e:
        parser.error(str(e))
    journal = None
    try:
        form = os.environ.get("WAVEDECK_LOG_FORMAT") or "text"
        journal = set_up(os.environ.get("WAVEDECK_LOG", "INFO").upper(), form, args.name, args.version)
        if not url:
            raise WavedeckError("a worker needs WAVEDECK_REDIS_URL")
        pulse = Pulse(os.environ.get("WAVEDECK_PULSE", ""))
        max_value()
        redis = connect(url)
        check(redis, url)
        if (there := room(redis)) is not None and there.warning:
            logging.getLogger("wavedeck.worker").warning(there.warning)
        redis.close()
        settings = Settings(url, args.version, args.name, args.slots, args.lease, args.until_idle, args.batch)
        return Watcher(settings, load_flows(), stop_timeout=args.stop_timeout, journal=journal, pulse=pulse).run()
    except WavedeckError as e:
        if journal:
            journal.say("ERROR", str(e))
        else:
            print(f"wavedeck worker: {plain(str(e))}", file=sys.stderr)  # noqa: T201
        return 1


def _leave(*_: object) -> NoReturn:
    """Told to stop before there is anything to drain. Not by an exception: flows are being imported, and might catch it."""
    os._exit(0)


def _host() -> str:
    """This machine's name as the beginning of a worker's, which begins with a letter: that of a container often does not."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()[:20])
    return name if name[:1].isalpha() else f"w{name}"


if __name__ == "__main__":
    sys.exit(main())
