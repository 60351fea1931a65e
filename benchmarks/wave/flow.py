"""The flow that a worker of the benchmark serves: that of its shape."""

import os

from benchmarks.wave.peers.ours import a_flow
from benchmarks.wave.work import SHAPE

flow = a_flow(os.environ[SHAPE])
