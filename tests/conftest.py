"""For all tests: one thread for the linear algebra of each process, so that tests that run at once do not fight over two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
