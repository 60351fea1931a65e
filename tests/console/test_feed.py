import threading
import time
from typing import Any

from servers import RedisServer, eventually

from console.feed import Answer, Errand, Feed, FeedLost, Gone, News, Place, Refusal, sentence
from engine.errors import NotFound


class Box:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def post_message(self, message: Any) -> bool:
        self.messages.append(message)
        return True

    def of(self, kind: type) -> list[Any]:
        return [m for m in self.messages if isinstance(m, kind)]


class Pings:
    """A source that counts its reads."""

    def __init__(self, pause: float = 0.01) -> None:
        self.reads, self.pause = 0, pause

    def read(self, redis: Any) -> tuple[object, float]:
        redis.ping()
        self.reads += 1
        return self.reads, self.pause


def test_news_are_numbered_and_stop_with_the_feed(redis_url: str) -> None:
    box = Box()
    feed = Feed(redis_url, Pings(), box)  # type: ignore[arg-type]
    feed.start()
    eventually(lambda: len(box.messages) > 5)
    feed.stop()
    feed.join(2)
    told = len(box.messages)
    assert [m.number for m in box.of(News)] == list(range(1, told + 1))
    assert [m.body for m in box.of(News)] == list(range(1, told + 1))
    time.sleep(0.05)
    assert len(box.messages) == told


def test_a_lost_redis_is_told_with_the_time_it_was_heard_last_and_found_again() -> None:
    with RedisServer() as server:
        box = Box()
        feed = Feed(server.url, Pings(), box)  # type: ignore[arg-type]
        feed.start()
        eventually(lambda: box.of(News))
        server.kill()
        lost = eventually(lambda: box.of(FeedLost))[0]
        assert lost.since is not None and abs(lost.since - time.time()) < 5
        assert "Redis" in lost.reason
        heard = len(box.of(News))
        server.start()
        eventually(lambda: len(box.of(News)) > heard + 2)
        feed.stop()


def test_a_redis_that_was_never_there_is_told_without_a_time() -> None:
    box = Box()
    feed = Feed("unix:///nowhere/redis.sock", Pings(), box)  # type: ignore[arg-type]
    feed.start()
    assert eventually(lambda: box.of(FeedLost))[0].since is None
    feed.stop()


def test_a_wrong_url_is_told_not_raised() -> None:
    box = Box()
    feed = Feed("gopher://me:secret@x", Pings(), box)  # type: ignore[arg-type]
    feed.start()
    lost = eventually(lambda: box.of(FeedLost))[0]
    assert "no Redis URL" in lost.reason and "secret" not in lost.reason
    feed.stop()


def test_what_is_not_there_is_gone_and_a_broken_source_is_told(redis_url: str) -> None:
    class Broken:
        def read(self, redis: Any) -> tuple[object, float]:
            raise next(errors)

    errors = iter([NotFound("no wave 'x'"), ZeroDivisionError("oh"), NotFound("y")])
    box = Box()
    feed = Feed(redis_url, Broken(), box)  # type: ignore[arg-type]
    feed.start()
    eventually(lambda: box.of(Gone))
    feed.wake()
    eventually(lambda: box.of(FeedLost))
    feed.stop()
    assert box.of(Gone)[0].reason == "no wave 'x'"
    assert box.of(FeedLost)[0].reason == "ZeroDivisionError: oh"


def test_wake_reads_at_once_and_a_covered_screen_is_read_seldom(redis_url: str) -> None:
    source, box = Pings(pause=60), Box()
    feed = Feed(redis_url, source, box)  # type: ignore[arg-type]
    feed.start()
    eventually(lambda: source.reads == 1)
    feed.wake()
    eventually(lambda: source.reads == 2)
    source.pause = 0.0
    feed.slow(2.0)
    feed.wake()
    eventually(lambda: source.reads == 3)
    time.sleep(0.2)
    assert source.reads == 3
    feed.slow(0.0)
    eventually(lambda: source.reads > 10)
    feed.stop()


def test_of_news_that_wait_the_last_is_kept_and_silence_never_replaces_news() -> None:
    news, silence = News(1, 0.0, "a"), News(2, 0.0, None)
    assert news.can_replace(News(3, 0.0, "b"))
    assert silence.can_replace(news)
    assert silence.can_replace(silence)
    assert not news.can_replace(silence)
    assert not news.can_replace(FeedLost(None, ""))


def test_an_errand_brings_an_answer_or_the_reason_for_none(redis_url: str) -> None:
    box = Box()
    Errand(redis_url, box, "ping", lambda redis: (redis.ping(), threading.current_thread() is threading.main_thread()))  # type: ignore[arg-type]
    answer = eventually(lambda: box.of(Answer))[0]
    assert (answer.name, answer.value) == ("ping", (True, False))

    def fails(redis: Any) -> object:
        raise NotFound("no flow 'x'")

    Errand(redis_url, box, "flow", fails)  # type: ignore[arg-type]
    refusal = eventually(lambda: box.of(Refusal))[0]
    assert (refusal.name, refusal.reason) == ("flow", "no flow 'x'")


def test_a_place_tells_no_password() -> None:
    assert Place.of("redis://me:secret@db.example:6379/0").name == "db.example:6379"
    assert Place.of("rediss://db:1/3?x=y").name == "db:1/3"
    assert Place.of("unix:///tmp/wd-1/redis.sock").name == "wd-1/redis.sock"


def test_errors_are_one_sentence() -> None:
    assert sentence(NotFound("no wave\nsecond line")) == "no wave"
    assert sentence(ValueError()) == "ValueError"
