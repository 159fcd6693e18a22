"""gunicorn reads this by itself. PORT and WEB_CONCURRENCY come from the platform."""

import sys

worker_class = "gthread"
threads = 4
# The platform kills after 30 s; gunicorn's own defaults are 30 too and would never end in order.
graceful_timeout = 20
timeout = 25
keepalive = 5
# A socket for remote control that nobody here uses.
control_socket_disable = True
# Workers prove that they live by touching a file; on a disk that can take longer than the timeout.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None
