#!/usr/bin/env python3
"""Sends valid and invalid requests to the local studio with schemathesis, which reads the OpenAPI document, as two users.

Every answer must be documented and not 5xx, and no user may see data of the other. Usage: fuzz.py SCHEMATHESIS
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 600  # Seconds; the studio may have to be built first.
EXAMPLES = 60  # Cases of each operation and kind; a run takes minutes.
LEAST_CASES = 3000
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,ignored_auth,object_level_authorization,use_after_free,missing_required_header"
)
# These operations would end the sessions of the two users. tests/api tests them.
LEFT_OUT = ("log_out", "log_out_everywhere", "end_session", "delete_account")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_until_up(studio, url):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if studio.poll() is not None:
            sys.exit(f"the studio ended with {studio.returncode}")
        try:
            return ask(url)
        except OSError:
            time.sleep(0.1)
    sys.exit("the studio did not start")


def register(url, name):
    """Registers a user, and returns the header that schemathesis needs."""
    body = {"username": name, "email": f"{name}@example.com", "password": "a long enough passphrase"}
    token = ask(f"{url}/api/auth/register", body)["access_token"]
    return {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}


def run(schemathesis, url, folder):
    """Runs schemathesis, and returns its status and output."""
    users = {"auth": [register(url, name) for name in ("alice", "bob")]}
    (folder / "users.json").write_text(json.dumps(users))
    config = '[auth.wfc]\npath = "users.json"\npeers = ["alice", "bob"]\n'
    (folder / "schemathesis.toml").write_text(config)
    command = [schemathesis, "--config-file", "schemathesis.toml", "run", f"{url}/openapi.json", "--url", url]
    command += ["--checks", CHECKS, "--max-examples", str(EXAMPLES), "--workers", "2", "--seed", "1"]
    command += ["--generation-database", "none", "--continue-on-failure", "--no-color", "--warnings", "off"]
    # A large import takes 12 s; the gateway waits 30 s.
    command += ["--request-timeout", "31"]
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    lines = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as fuzzer:
        for line in fuzzer.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return fuzzer.returncode, "".join(lines)


def main():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PORT": str(port),
        "RATE_LIMIT": "0",
        "DAILY_TOKENS": "0",
        "DAILY_MICRO_DOLLARS": "0",
        "OFFLINE_TOKEN_DELAY_MS": "0",
        "ACCESS_TOKEN_EXPIRE_MINUTES": "120",
    }
    with tempfile.TemporaryDirectory() as folder:
        studio = subprocess.Popen(["cargo", "run", "--locked", "--", "--memory"], env=environment)
        try:
            wait_until_up(studio, f"{url}/health")
            status, printed = run(sys.argv[1], url, pathlib.Path(folder))
        finally:
            studio.send_signal(signal.SIGINT)
            studio.wait(timeout=60)
    cases = sum(int(number.replace(",", "")) for number in re.findall(r"([\d,]+) generated", printed))
    print(f"cases: {cases}")
    if status or cases < LEAST_CASES:
        sys.exit(f"schemathesis found something, or asked too little ({cases} of {LEAST_CASES} cases)")


if __name__ == "__main__":
    main()
