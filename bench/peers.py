"""dlt with Arrow tables reading the same sandbox, in an environment of its own: `bin/bench --peers`.

It keeps all fields of customers, contacts, invoices and lines, merged by id into PostgreSQL. It is installed once into
.local/peers; where that cannot be done, the reason is printed and the tables go without it.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from bench.places import ROOT, Places
from bench.read_everything import Figure
from sandbox.embed import SECRET, USERNAME

HOME = ROOT / ".local" / "peers"
PACKAGES = ["dlt[postgres]", "pyarrow", "requests", "psycopg2-binary"]
DLT = "dlt with Arrow"


def installed() -> bool:
    """Whether the environment is there; made if it is not."""
    if (HOME / "ready").exists():
        return True
    venv.create(HOME, with_pip=True, clear=True)
    done = subprocess.run([str(HOME / "bin/pip"), "install", "-q", *PACKAGES], capture_output=True, text=True)
    if done.returncode:
        print(f"dlt cannot be installed, so it is left out: {done.stderr.strip().splitlines()[-1]}")
        return False
    (HOME / "ready").touch()
    return True


def read(at: Places, what: str) -> Figure:
    """Reads everything by dlt; run again, it merges into what it read before."""
    environment = {**os.environ, "PEER_DATABASE": at.peer_url, "PEER_SANDBOX": at.sandbox_url}
    environment |= {"PEER_USER": USERNAME, "PEER_SECRET": SECRET, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    environment |= {"DLT_DATA_DIR": str(Path(at.folder) / "dlt"), "RUNTIME__LOG_LEVEL": "CRITICAL"}
    program = Path(__file__).with_name("peer_dlt.py")
    process = subprocess.Popen(
        [str(HOME / "bin/python"), str(program)],
        env=environment,
        cwd=at.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"dlt failed:\n{said}")
    found = json.loads(said.splitlines()[-1])
    return Figure(what, found["seconds"], found["rows"], found["requests"], usage.ru_maxrss / 1024)
