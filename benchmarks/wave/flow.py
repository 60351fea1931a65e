"""The flow that a worker of the benchmark serves: that of its shape."""

import os

from benchmarks.wave.peers.ours import a_flow
from benchmarks.wave.work import SHAPE

flow = a_flow(os.environ[SHAPE])
if flow.name == "learning":
    import benchmarks.wave.learning  # noqa: F401 as a flow of models does: at the top, once for all slots
