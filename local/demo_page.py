"""The demo's own page: who can log in, and the code that one of them needs now.

`python -m local.demo_page --port N` serves it on 127.0.0.1. The portal knows nothing of it.
"""

from __future__ import annotations

import argparse
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyotp

from local import demo_data

STEP = 30
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The demo's logins</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="{left}">
<meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}
code{{font-size:2rem;letter-spacing:.15em}}</style></head><body><h1>The demo's logins</h1>
<ul>{lines}</ul><h2>Code of {who}</h2><p><code>{code}</code></p>
<p>Good for {left} seconds more; each code is good once.</p></body></html>"""


def page() -> str:
    left = STEP - int(time.time()) % STEP
    lines = "".join(f"<li>{escape(line.strip())}</li>" for line in demo_data.login_lines().split(";"))
    return PAGE.format(lines=lines, who=demo_data.GUARDED, code=pyotp.TOTP(demo_data.SEED).now(), left=left)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = page().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    with ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
