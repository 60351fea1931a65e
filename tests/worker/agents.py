"""An ECS agent and metadata endpoint, as far as a worker asks them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARN = "arn:aws:ecs:eu-west-1:123456789012:task/wd-main/0123456789abcdef0123456789abcdef"
CONTAINER = {
    "DockerId": "abc",
    "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/wd@sha256:11",
    "ImageID": "sha256:11aa",
    "Limits": {"CPU": 1024, "Memory": 2048},
}
TASK = {
    "Cluster": "wd-main",
    "TaskARN": ARN,
    "AvailabilityZone": "eu-west-1a",
    "Limits": {"CPU": 1.0, "Memory": 4096},
    "LaunchType": "FARGATE",
}


@dataclass
class Agent:
    """`asked`: each PUT of the protection's state, in order. `failure`: what it answers with HTTP 200 in place of the state."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, str] = field(default_factory=dict)
    silent: threading.Event = field(default_factory=threading.Event)

    @property
    def environment(self) -> dict[str, str]:
        return {"ECS_AGENT_URI": self.url, "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/v4"}

    @property
    def states(self) -> list[bool]:
        return [told["ProtectionEnabled"] for told in self.asked]


@contextmanager
def agent() -> Iterator[Agent]:
    """One on a loopback port."""
    told = Agent()
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if told.silent.is_set():
                ended.wait(20)
            pages: dict[str, Any] = {"/v4": CONTAINER, "/v4/task": TASK}
            self._answer(pages.get(self.path))

        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if told.silent.is_set():
                ended.wait(20)
            told.asked.append(body)
            assert self.path == "/task-protection/v1/state"
            self._answer({"failure": told.failure} if told.failure else {"protection": {**body, "TaskArn": ARN}})

        def _answer(self, page: Any) -> None:
            data = json.dumps(page or {}).encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
