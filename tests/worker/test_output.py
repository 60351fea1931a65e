"""What tasks print: a slot's file, a cell's part of it, and threads that keep their own."""

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from worker.output import KEPT, MOST, Output, thread_log


def in_a_slot(act: Callable[[Output], None]) -> Output:
    """Does `act` in a process whose output is captured, and gives the file to read, as a watcher has it."""
    output = Output()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            output.capture()
            act(output)
            status = 0
        except BaseException:
            os.write(output.fd, traceback.format_exc().encode())
            raise
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output.tail().decode("utf-8", "replace")
    return output


def test_everything_a_process_prints_is_in_the_file_in_order() -> None:
    def act(_: Output) -> None:
        print("print")
        sys.stderr.write("stderr\n")
        os.write(1, b"descriptor\n")
        subprocess.run(["sh", "-c", "echo child; echo error >&2"], check=True)
        print("last é \ud800")

    assert in_a_slot(act).tail() == b"print\nstderr\ndescriptor\nchild\nerror\nlast \xc3\xa9 \\ud800\n"


def test_a_cell_s_log_is_what_was_written_while_it_ran() -> None:
    def act(output: Output) -> None:
        print("before")
        assert output.cut() == b"before\n"
        assert output.cut() == b""
        start = output.end
        print("mine")
        assert output.read(start) == b"mine\n"
        assert output.cut() == b"mine\n"

    in_a_slot(act)


def test_only_the_last_of_a_long_log_is_kept() -> None:
    def act(output: Output) -> None:
        print("begin" + "x" * KEPT * 3 + "end")
        log = output.cut()
        assert len(log) == KEPT
        assert log.endswith(b"xxxend\n")
        output.trim()
        print("after")
        assert output.cut() == b"after\n"

    in_a_slot(act)


def test_a_file_that_has_grown_is_emptied_between_batches() -> None:
    def act(output: Output) -> None:
        for _ in range(10):
            os.write(1, b"x" * (1 << 20))
        output.cut()
        output.trim()
        assert os.fstat(output.fd).st_size == 0
        print("afterwards")
        assert output.cut() == b"afterwards\n"

    assert in_a_slot(act).tail() == b"afterwards\n"


def test_a_cell_that_prints_without_end_does_not_fill_the_disk() -> None:
    def act(output: Output) -> None:
        print("an earlier cell")
        output.cut()
        start = output.end
        for _ in range(3):
            for _ in range(MOST >> 20):
                os.write(1, b"x" * (1 << 20))
            os.write(1, b"end")
            output.bound()
            assert os.fstat(output.fd).st_size == KEPT
            assert output.read(start).endswith(b"xxxend")
        print(" of it")
        assert output.cut() == b"x" * (KEPT - 10) + b"end of it\n"
        print("the next cell")
        assert output.cut() == b"the next cell\n"

    in_a_slot(act)


def test_what_a_cell_prints_in_measure_is_left_alone() -> None:
    def act(output: Output) -> None:
        os.write(1, b"x" * (1 << 20))
        output.bound()
        assert os.fstat(output.fd).st_size == 1 << 20

    in_a_slot(act)


def test_threads_keep_their_own_while_they_are_asked_to() -> None:
    def act(output: Output) -> None:
        together = threading.Barrier(4)

        def one(name: str) -> bytes:
            with thread_log() as printed:
                for i in range(50):
                    together.wait(10)
                    print(name, i)
                return bytes(printed)

        with ThreadPoolExecutor(4) as pool:
            logs = list(pool.map(one, "abcd"))
        for name, log in zip("abcd", logs, strict=True):
            assert log.decode().splitlines() == [f"{name} {i}" for i in range(50)]
        assert output.cut() == b""

    in_a_slot(act)


def test_other_threads_write_to_the_file() -> None:
    def act(_: Output) -> None:
        thread = threading.Thread(target=print, args=("from a library's thread",))
        thread.start()
        thread.join()

    assert in_a_slot(act).tail() == b"from a library's thread\n"


def test_a_thread_s_log_does_not_grow_for_ever() -> None:
    def act(_: Output) -> None:
        def loud() -> int:
            with thread_log() as printed:
                for _ in range(100):
                    print("x" * 10_000)
                return len(printed)

        with ThreadPoolExecutor(1) as pool:
            assert KEPT <= pool.submit(loud).result() <= 5 * KEPT

    in_a_slot(act)


def test_what_code_expects_of_a_text_stream_is_there() -> None:
    def act(output: Output) -> None:
        assert sys.stdout.encoding.lower() == "utf-8"
        assert not sys.stdout.isatty()
        assert (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
        assert sys.stdout.writable()
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\xff\n")
        sys.stdout.buffer.flush()
        sys.stdout.writelines(["a\n", "b\n"])
        assert output.cut() == b"\xff\na\nb\n"

    in_a_slot(act)
