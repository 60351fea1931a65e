"""Calls to AWS: one place that loads boto3, waits when AWS asks for patience, and says in a sentence what went wrong."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from engine.fleet.ecs.causes import AGAIN, Cause, cause_of, cause_of_failures, error_for
from engine.fleet.house import FleetError

Answer = Mapping[str, Any]

PATIENCE = 60.0
"""Seconds after which a call that is refused for the moment is given up."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Bounds of the wait between two tries, seconds; the real one is drawn between 0 and a bound that doubles."""

BURST, PER_SECOND, A_CALL = 100, 20, 10
"""Tasks that Fargate starts at once and a second, and that one RunTask may ask for."""


class Aws:
    """Clients of AWS' services, with patience.

    `region`, `profile`: as boto3 finds them when empty. `clock` and `sleep` are in seconds; `draw` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        region: str = "",
        profile: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
        patience: float = PATIENCE,
    ) -> None:
        self._region, self._profile = region, profile
        self.clock, self.sleep, self._draw, self._patience = clock, sleep, draw, patience
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region that is asked.

        Raises:
            FleetError: none is set anywhere.
        """
        name = self._boto().region_name
        if not name:
            raise FleetError('no AWS region is set: put region = "…" into the [aws] table, or set AWS_REGION')
        return str(name)

    def call(self, service: str, operation: str, /, **request: Any) -> Answer:
        """What AWS answers; `operation` as boto3 names it. A call that is refused for the moment is repeated for `patience` seconds.

        Raises:
            Throttled: it went on being throttled.
            NoCapacity: AWS has no room.
            FleetError: whatever else was wrong; the text says what to do. `missing` tells what is not there.
        """
        doing = f"{service} {operation}"

        def once() -> Answer:
            answer: Answer = getattr(self._client(service), operation)(**request)
            return answer

        return self._patiently(doing, once)

    def find(self, service: str, operation: str, /, **request: Any) -> Answer | None:
        """As `call`; None where what was asked for is not there."""
        try:
            return self.call(service, operation, **request)
        except Missing:
            return None

    def pages(self, service: str, operation: str, key: str, /, *, cursor: str = "nextToken", **request: Any) -> Iterator[Any]:
        """Every item under `key` of a call that answers page by page."""
        more: Mapping[str, Any] = {}
        while True:
            answer = self.call(service, operation, **request, **more)
            yield from answer.get(key, ())
            if not answer.get(cursor):
                return
            more = {cursor: answer[cursor]}

    def run_tasks(self, count: int, /, *, token: str, **request: Any) -> list[str]:
        """Starts tasks with RunTask, ten a call and no faster than Fargate starts them; their ARNs.

        `token`: makes the calls idempotent for a day: the same token and request start nothing twice.

        Raises:
            NoCapacity, Throttled, FleetError: as `call`; the tasks that were started by then run on.
        """
        started: list[str] = []
        began = self.clock()
        tries = 0
        while len(started) < count:
            wanted = min(A_CALL, count - len(started))
            self._pace(len(started) + wanted, began)
            part = f"{token[:50]}-{len(started)}-{tries}"
            answer = self._patiently("ecs run_task", partial(self._run, wanted, part, request))
            started += [task["taskArn"] for task in answer["tasks"]]
            tries += 1  # what is missing of a call is another request, and needs another token
        return started

    def _run(self, count: int, token: str, request: Mapping[str, Any]) -> Answer:
        answer: Answer = self._client("ecs").run_task(count=count, clientToken=token, **request)
        if not answer.get("tasks"):
            raise _Failed(*cause_of_failures(answer.get("failures") or [{"reason": "no task was started"}]))
        return answer

    def _pace(self, soon: int, began: float) -> None:
        due = began + max(0, soon - BURST) / PER_SECOND
        if (wait := due - self.clock()) > 0:
            self.sleep(wait)

    def _patiently(self, doing: str, once: Callable[[], Answer]) -> Answer:
        until, bound = self.clock() + self._patience, FIRST_WAIT
        while True:
            try:
                return once()
            except Exception as e:
                cause, told = _told(e)
                wait = bound * self._draw()
                if cause not in AGAIN or self.clock() + wait > until:
                    raise _error(cause, doing, told) from None
            self.sleep(wait)
            bound = min(2 * bound, LONGEST_WAIT)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            region = self.region
            from botocore.config import Config

            # All waiting is done here, for botocore knows fewer of a throttle's disguises and sleeps on the real clock.
            config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=30)
            self._clients[service] = self._boto().client(service, region_name=region, config=config)
        return self._clients[service]

    def _boto(self) -> Any:
        if self._session is None:
            try:
                import boto3
                from botocore.exceptions import BotoCoreError
            except ImportError:
                raise FleetError("Amazon ECS needs boto3: pip install 'wavedeck[aws]'") from None
            try:
                self._session = boto3.Session(
                    profile_name=self._profile or None,
                    region_name=self._region or os.environ.get("AWS_REGION") or None,  # boto3 knows AWS_DEFAULT_REGION only
                )
            except BotoCoreError as e:
                raise FleetError(f"AWS cannot be used: {e}") from None
        return self._session


class Missing(FleetError):
    """What was asked for is not there."""


class _Failed(Exception):
    """An answer with status 200 that says it failed."""

    def __init__(self, cause: Cause, told: str) -> None:
        super().__init__(told)
        self.cause = cause


def _told(error: Exception) -> tuple[Cause, str]:
    """The cause of an exception and what AWS said.

    Raises:
        FleetError: AWS was never asked: no credentials, no answer, a request that it could not understand.
    """
    from botocore import exceptions as boto

    if isinstance(error, _Failed):
        return error.cause, str(error)
    if isinstance(error, boto.ClientError):
        told, http = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        return cause_of(code, message, int(http.get("HTTPStatusCode", 0))), f"{code}: {message}" if message else code
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError):
        raise FleetError(
            "there are no AWS credentials: `aws configure` or `aws sso login` makes them, or set AWS_PROFILE"
        ) from None
    if isinstance(error, boto.TokenRetrievalError | boto.SSOError | boto.UnauthorizedSSOTokenError):
        raise FleetError(f"the sign-on to AWS has ended: `aws sso login` renews it ({error})") from None
    if isinstance(error, boto.ParamValidationError):
        raise FleetError(f"AWS would not understand this: {' '.join(str(error).split())}") from None
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        return Cause.BUSY, str(error)
    if isinstance(error, boto.BotoCoreError):
        raise FleetError(f"AWS cannot be used: {error}") from None
    raise error


def _error(cause: Cause, doing: str, told: str) -> FleetError:
    error = error_for(cause, doing, told)
    return Missing(str(error)) if cause is Cause.MISSING else error


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as ECS takes them."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def tag_map(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as ECS gives them."""
    return {tag["key"]: tag.get("value", "") for tag in tags or ()}
