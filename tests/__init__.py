"""The tests; with pytest-xdist each worker computes with one thread, as there are as many workers
as cores."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")
