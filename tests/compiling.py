"""How XLA compiles in tests; to be imported before JAX, which reads it once.

A test compiles many programs of tiny networks and runs each of them briefly: optimising a program
takes longer than it saves, and XLA's threads only wait for each other. What several processes
compile they compile once: workers and whatever tests start inherit the folder from the process
that made it.
"""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_multi_thread_eigen=false",
)
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.mkdtemp(prefix="rpl-tests-")
    atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
