"""FakeEcs: a control plane of Amazon ECS on loopback, whose tasks are processes of this machine.

boto3 talks to it by AWS_ENDPOINT_URL. Every request is checked against botocore's model of the service, and against what AWS
refuses beyond that (`rules`). Tasks run what their definition says, with what ECS gives a task: metadata, version 4, and the
agent's endpoint of task protection.
"""

import json
import re
import shutil
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import botocore.session
from botocore.validate import ParamValidator
from fake_ecs.neighbours import Logs, Scaling, Scheduler
from fake_ecs.plane import TICK, Plane
from fake_ecs.rules import AwsError
from fake_ecs.task import REGION, Image, Task

Request = dict[str, Any]
PREFIXES = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "Logs_20140328": "logs",
    "AnyScaleFrontendService": "application-autoscaling",
}
_SCHEDULER = re.compile(r"/(schedules|schedule-groups)(?:/([^/?]+))?")
_VERBS = {"POST": "Create", "PUT": "Update", "GET": "Get", "DELETE": "Delete"}


@dataclass
class Asked:
    """A request that came, in order."""

    service: str
    operation: str
    request: Request


@dataclass
class _Fault:
    operation: str
    error: AwsError
    times: int


class FakeEcs:
    """Starts with the block and ends with it, with all of its tasks. `options` are those of `Plane`."""

    def __init__(self, **options: Any) -> None:
        self.plane = Plane(**options)
        self.logs, self.scaling, self.scheduler = Logs(self.plane), Scaling(), Scheduler(self.plane)
        self._services = {
            "ecs": self.plane,
            "logs": self.logs,
            "application-autoscaling": self.scaling,
            "scheduler": self.scheduler,
        }
        self.asked: list[Asked] = []
        self._faults: list[_Fault] = []
        self._models = _models()
        self._http = _Http(self)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.plane.endpoint = self.url
        self.plane.environment |= self.environment  # a task has its role's credentials
        self._leaving = threading.Event()
        self._broken: Exception | None = None
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._tick, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()
        for task in self.plane.tasks.values():
            task.kill()
            if task.process is not None:
                task.process.wait()
        shutil.rmtree(self.plane.folder, ignore_errors=True)
        if self._broken is not None:
            raise RuntimeError("FakeEcs itself broke") from self._broken

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def push(self, repository: str, folder: Path, *, broken: bool = False, **environment: str) -> str:
        """Has an image whose containers start in `folder`; its name by digest."""
        image = Image(folder, environment, broken)
        name = f"{repository}@{image.digest}"
        self.plane.images[name] = image
        return name

    def fail(self, operation: str, code: str, message: str, *, times: int = 1, status: int = 400) -> None:
        """The next calls of an operation fail so."""
        self._faults.append(_Fault(operation, AwsError(code, message, status), times))

    def tasks(self, cluster: str = "", *, ended: bool = False) -> list[Task]:
        """Of a cluster, or all; those that have not ended, unless `ended`."""
        with self.plane.held():
            return [t for t in self.plane.tasks.values() if cluster in ("", t.cluster) and (ended or t.stopped is None)]

    def interrupt(self, task: Task) -> None:
        """Spot takes it back: SIGTERM, and SIGKILL when its stop timeout is over."""
        with self.plane.held():
            task.ask_to_stop("SpotInterruption", "Your Spot Task was interrupted.")

    def lose(self, task: Task) -> None:
        """Its host is gone, without a word."""
        with self.plane.held():
            task.stop_code, task.stop_reason = "SpotInterruption", "Your Spot Task was interrupted."
            task.kill()

    def requests(self, operation: str) -> list[Request]:
        """Those of an operation that came."""
        return [asked.request for asked in self.asked if asked.operation == operation]

    def answer(self, service: str, operation: str, request: Request) -> Request:
        """Does what is asked.

        Raises:
            AwsError: AWS would refuse it.
        """
        self.asked.append(Asked(service, operation, request))
        for fault in self._faults:
            if fault.operation == operation and fault.times > 0:
                fault.times -= 1
                raise fault.error
        shape = self._models[service].operation_model(operation).input_shape
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise AwsError("ClientException", f"not as the model of {service} has it: {report.generate_report()}")
        method = getattr(self._services[service], operation, None)
        if method is None:
            raise AwsError("UnknownOperationException", f"FakeEcs has no {service} {operation}", 501)
        with self.plane.held():
            answer: Request = method(request)
            return answer

    def agent(self, method: str, path: str, body: Request) -> tuple[int, Request]:
        """What a task's own endpoints say: metadata, and protection."""
        kind, name, *rest = path.strip("/").split("/", 2)
        task = self.plane.tasks.get(name)
        if task is None:
            return 404, {}
        if kind == "v4":
            return 200, {"": task.container_metadata, "task": task.metadata}.get("".join(rest), dict)()
        with self.plane.held():
            if method == "PUT":
                minutes = body.get("ExpiresInMinutes", 120)
                protected, told = self.plane.protect(name, bool(body.get("ProtectionEnabled")), minutes)
                if protected is None:
                    return 400, {"failure": {"Arn": told["arn"], "Reason": told["reason"]}}
            elif not task.service:
                return 400, {"failure": {"Arn": task.arn, "Reason": "TASK_NOT_VALID"}}
            return 200, {"protection": {"ProtectionEnabled": task.is_protected, "TaskArn": task.arn}}

    def _tick(self) -> None:
        try:
            while not self._leaving.wait(TICK):
                self.plane.tick()
                with self.plane.held():
                    self.logs.tick()
        except Exception as e:
            self._broken = e
            raise


@cache
def _models() -> dict[str, Any]:
    session = botocore.session.get_session()
    return {name: session.get_service_model(name) for name in (*PREFIXES.values(), "scheduler")}


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeEcs) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: two of them wait 40 ms for each other
    disable_nagle_algorithm = True
    server: _Http

    def _serve(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(text) if text else {}
        fake, path = self.server.fake, urllib.parse.urlsplit(self.path)
        if path.path.startswith(("/v4/", "/agent/")):
            self._send(*fake.agent(self.command, path.path, body))
            return
        try:
            service, operation, request = self._asked(path, body)
            self._send(200, fake.answer(service, operation, request))
        except AwsError as e:
            self._send(e.status, {"__type": e.code, "message": e.message, "Message": e.message}, e.code)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _asked(self, path: urllib.parse.SplitResult, body: Request) -> tuple[str, str, Request]:
        if target := self.headers.get("X-Amz-Target"):
            prefix, _, operation = target.partition(".")
            return PREFIXES[prefix], operation, body
        found = _SCHEDULER.fullmatch(path.path)
        if found is None:
            raise AwsError("UnknownOperationException", f"FakeEcs has no {self.command} {path.path}", 404)
        kind = {"schedules": "Schedule", "schedule-groups": "ScheduleGroup"}[found[1]]
        query = {_upper(key): value for key, value in urllib.parse.parse_qsl(path.query)}
        if found[2] is None:
            return "scheduler", f"List{kind}s", _renamed(query)
        return "scheduler", f"{_VERBS[self.command]}{kind}", {**_renamed(query), **body, "Name": urllib.parse.unquote(found[2])}

    def _send(self, status: int, told: Mapping[str, Any], error: str = "") -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _renamed(query: Request) -> Request:
    """Names of a query as the model has them."""
    return {{"ScheduleGroup": "GroupName"}.get(key, key): value for key, value in query.items()}
