#!/usr/bin/env python3
"""Runs the run command of the README on a free port, and the examples in README.md and docs/*.md.

A code block is run if `<!-- try: curl -->` or `<!-- try: websocket -->` is above it. The blocks of a document run in one shell, in
which TOKEN is the access token of a new user. The answer to every `curl` must have the status 200, or the status in the comment at
the end of its line (`# 412`). The answer to the WebSocket example must contain frames.
"""

import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BUILD_SECONDS = 600  # `cargo run` may have to build the studio first.
FRAMES = ("auth_success", "chat_chunk", "chat_complete")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blocks(text, kind, port):
    """Returns the commands of all blocks of this kind, for a studio on this port."""
    found = re.findall(rf"<!-- try: {kind} -->\s*```\w*\n(.*?)```", text, re.DOTALL)
    return "".join(found).replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(studio, url):
    deadline = time.monotonic() + BUILD_SECONDS
    while time.monotonic() < deadline:
        if studio.poll() is not None:
            sys.exit(f"`cargo run` ended with {studio.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"the studio did not answer within {BUILD_SECONDS} s")


def new_token(port, name):
    """Returns the access token of a new user."""
    body = {"username": name, "email": f"{name}@example.com", "password": "password123"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/auth/register",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


def run_curls(document, commands, token):
    """Runs the lines in one shell; each `curl` also prints its status to stderr."""
    lines = [line for line in commands.splitlines() if line.strip()]
    curls = [line for line in lines if "curl " in line]
    expected = [(re.findall(r"# (\d{3})$", line) or ["200"])[0] for line in curls]
    script = "\n".join(line.replace("curl ", "curl -w '%{stderr}%{http_code}\\n' ", 1) for line in lines)
    environment = {**os.environ, "TOKEN": token}
    result = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=120, env=environment)
    found = re.findall(r"^(\d{3})$", result.stderr, re.MULTILINE)
    print(result.stdout)
    print(f"{document}: statuses", " ".join(found))
    if result.returncode or found != expected:
        sys.exit(f"the curl lines of {document} do not work: expected {expected}; {result.stderr}")


def run_websocket(document, command, token):
    # `wscat` ends at the end of its standard input, which therefore stays open until the frames have arrived.
    shell = subprocess.Popen(
        ["bash", "-euc", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TOKEN": token},
    )
    try:
        shown = "".join(iter(shell.stdout.readline, ""))
    finally:
        shell.stdin.close()
        shell.wait(timeout=180)
    print(shown)
    for frame in FRAMES:
        if frame not in shown:
            sys.exit(f"the WebSocket example of {document} showed no {frame}")


def try_documents(port):
    """Runs every example, and counts them."""
    tried = {"curl": 0, "websocket": 0}
    for number, document in enumerate(["README.md", *sorted(glob.glob("docs/*.md"))]):
        text = read(document)
        token = new_token(port, f"reader{number}")
        if commands := blocks(text, "curl", port):
            run_curls(document, commands, token)
            tried["curl"] += 1
        if command := blocks(text, "websocket", port):
            run_websocket(document, command, token)
            tried["websocket"] += 1
    if not all(tried.values()) or "<!-- try: curl -->" not in read("README.md"):
        sys.exit(f"too few examples were found: {tried}")


def main():
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        # The options separate this run from a studio of the developer.
        command = ["cargo", "run", "--locked", "--", "--data", os.path.join(data, "studio")]
        studio = subprocess.Popen(command, env={**os.environ, "PORT": str(port)})
        try:
            wait_until_up(studio, f"http://127.0.0.1:{port}/health")
            try_documents(port)
        finally:
            studio.send_signal(signal.SIGINT)
            code = studio.wait(timeout=30)
        if code != 0:
            sys.exit(f"the studio ended with {code} after SIGINT")


if __name__ == "__main__":
    main()
