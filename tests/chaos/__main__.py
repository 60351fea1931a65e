"""`python -m chaos`: many rounds of faults drawn from a seed, a summary, and the results as JSON."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "worker")]

from chaos.run import main  # noqa: E402

sys.exit(main())
