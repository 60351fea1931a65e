"""Child processes that do not outlive the command that started them, not even one that was killed with SIGKILL.

Linux sends a child its *parent death signal* (prctl(2), PR_SET_PDEATHSIG) when the thread that started it ends. So a child is
started through this file, which asks for that signal and then becomes the command (`exec`, same pid), and always by a thread that
lives as long as the process. Elsewhere than on Linux the command just runs: it ends when its owner ends it in order.

The file also runs as a program, `python tether.py SIGNAL PARENT COMMAND…`, by its path and with the standard library alone, so
that a start costs 20 ms and not the import of the engine.
"""

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

PR_SET_PDEATHSIG = 1
EXIT_CANNOT_START = 127

_Job = tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, tied to this process; stdout and stderr are appended to `log`.

    It leads its process group (pgid = pid), so Ctrl-C in the terminal does not reach it and `os.killpg` reaches all of it. Its
    umask is this process's (-1), or `umask`; a new `log` is readable by this user only. When this process ends in any way, Linux
    sends it `death_signal`; what it started itself is its own to end. A command that cannot be executed exits with 127 and says why
    in `log`. May be called from any thread.

    Raises:
        OSError: `log` cannot be written, or no process can be made.
    """
    program = [sys.executable, "-I", "-S", __file__, str(int(death_signal)), str(os.getpid()), *command]

    def start() -> subprocess.Popen[bytes]:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
            return subprocess.Popen(
                program, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True, umask=umask
            )

    if threading.current_thread() is threading.main_thread():
        return start()
    return _lasting.run(start)


def die_with_parent(parent: int, death_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have Linux send this process `death_signal` when `parent`, the pid that started it, ends; exit now if it has ended.

    For a forked child too: it must have been forked by a thread that lives as long as its process.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the request, so no signal will come
        os._exit(EXIT_CANNOT_START)


class _LastingThread:
    """Runs starts in one thread that ends with the process: a child started by a passing thread would die with that thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="tether", daemon=True)
                self._thread.start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((start, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            start, answer = self._jobs.get()
            try:
                answer.set_result(start())
            except BaseException as e:  # the caller gets it
                answer.set_exception(e)

    def _forget(self) -> None:  # threads do not survive a fork
        self._jobs, self._thread, self._lock = queue.SimpleQueue(), None, threading.Lock()


_lasting = _LastingThread()


def main(arguments: Sequence[str]) -> None:
    """Ask for the parent death signal, then become the command. Returns only by exiting."""
    death_signal, parent, *command = arguments
    die_with_parent(int(parent), signal.Signals(int(death_signal)))
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as e:
        sys.stderr.write(f"cannot start {command[0]}: {e.strerror}\n")
        sys.exit(EXIT_CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1:])
