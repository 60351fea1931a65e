"""Calls `wavedeck` many times in one process: a line of words, as JSON, a call. What each ended with goes to the file of the second
argument, and where its output ended when that is a file."""

import json
import os
import sys
from pathlib import Path

from console import cli

ended = Path(sys.argv[2])
calls = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
ends = []
for words in calls:
    sys.argv = ["wavedeck", *words]
    status: object = None
    try:
        cli.main()
    except SystemExit as e:
        status = e.code
    except BaseException as e:
        status = f"{type(e).__name__}: {e}"
    sys.stdout.flush()
    sys.stderr.flush()
    at = [os.lseek(fd, 0, os.SEEK_CUR) if not os.isatty(fd) else 0 for fd in (1, 2)]
    ends.append([status, *at])
ended.write_text(json.dumps(ends), "utf-8")
