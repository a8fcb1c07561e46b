#!/usr/bin/env python3
"""Run a command, for instance a recorder's ffmpeg, while it has a connection of an account.

    with_lease.py --account 1 --label "Evening film" --seconds 7200 -- ffmpeg -i URL -c copy film.ts

The command starts when the account has a free connection. It is ended when the lease is lost, and the connection is
given back when the command ends. STREAMFLOW_URL is the address of Airflow's UI, STREAMFLOW_USER and
STREAMFLOW_PASSWORD are a login that may edit pools. Needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request


def call(
    method: str, path: str, body: dict[str, object] | None = None, token: str = ""
) -> tuple[int, dict[str, object]]:
    """Return status and document of a request; the status is 0 while the server cannot be reached."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(os.environ["STREAMFLOW_URL"].rstrip("/") + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (OSError, ValueError) as error:
        return 0, {"detail": str(error)}


def log_in() -> str:
    """Return a token of Airflow."""
    login = {"username": os.environ["STREAMFLOW_USER"], "password": os.environ["STREAMFLOW_PASSWORD"]}
    status, document = call("POST", "/auth/token", login)
    if status not in (200, 201):
        sys.exit(f"no token: {status} {document.get('detail')}")
    return str(document["access_token"])


def take(leases: str, wanted: dict[str, object], token: str) -> str:
    """Wait for a connection, and return the id of its lease."""
    method, path, body = "POST", leases, wanted
    while True:
        status, document = call(method, path, body, token)
        if status in (200, 201):
            return str(document["lease_id"])
        if status == 409 and "lease_id" in document:
            print(document["detail"], file=sys.stderr)
            method, path, body = "PUT", f"{leases}/{document['lease_id']}", {"seconds": wanted["seconds"]}
        elif status == 404:
            method, path, body = "POST", leases, wanted
        elif status not in (0, 503):
            sys.exit(f"no connection: {status} {document.get('detail')}")
        time.sleep(2)


def main() -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--account", type=int, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument(
        "--seconds", type=float, default=60, help="life of the lease; it is prolonged every third of it"
    )
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    # Ctrl-C and `kill` end the command as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    token, leases = log_in(), "/api/stream-checker/leases"
    lease_id = take(leases, {"account_id": options.account, "label": options.label, "seconds": options.seconds}, token)
    ends = time.monotonic() + options.seconds
    command = subprocess.Popen(options.command)
    try:
        while command.poll() is None:
            try:
                return command.wait(options.seconds / 3)
            except subprocess.TimeoutExpired:
                asked = time.monotonic()
                status, document = call("PUT", f"{leases}/{lease_id}", {"seconds": options.seconds}, token)
            if status == 200:
                ends = asked + options.seconds
            elif status == 401:
                token = log_in()
            elif status == 404 or time.monotonic() > ends - options.seconds / 6:
                sys.exit(f"the connection is lost: {status} {document.get('detail')}")
        return command.returncode
    finally:
        command.terminate()
        try:
            command.wait(10)
        except subprocess.TimeoutExpired:
            command.kill()
        call("DELETE", f"{leases}/{lease_id}", token=token)


if __name__ == "__main__":
    sys.exit(main())
