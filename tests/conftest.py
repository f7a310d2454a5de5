"""For all tests: one thread for the linear algebra of each process, so that tests that run at once do not fight over two cores.

And no deadline for hypothesis: what takes long on a busy machine is no failure.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
