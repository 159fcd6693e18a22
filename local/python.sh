# Read by bin/*: finds a Python that can run this project, or says in one sentence what to do.
# Sets $project (the project's folder) and $python.

project=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)

usable() {
  "$@" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if usable "$project/.venv/bin/python"; then
  python=$project/.venv/bin/python
else
  python=
  for name in python3 python3.13 python3.12 python3.11 python3.14 /usr/bin/python3; do
    if usable "$name"; then
      python=$name
      break
    fi
  done
fi

if [ -z "$python" ]; then
  {
    echo "Python 3.11 or newer is needed; found: $(python3 --version 2>/dev/null || echo none)."
    echo "  Debian:  sudo apt-get install python3 python3-venv"
    echo "  macOS:   brew install python@3.13   (or the installer from python.org)"
  } >&2
  exit 1
fi
