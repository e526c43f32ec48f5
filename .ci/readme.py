#!/usr/bin/env python3
"""Starts the README's run command on a free port, and runs the README's examples against it as they are pasted.

Every `curl` line must be answered with 200, and the WebSocket example must be answered with frames.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 600  # Seconds; the studio may have to be built first.


def block_after(text, marker):
    """The fenced block that follows a marker."""
    match = re.search(re.escape(marker) + r"\s*```\w*\n(.*?)```", text, re.DOTALL)
    if not match:
        sys.exit(f"README.md has no block after {marker}")
    return match.group(1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(studio, url):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if studio.poll() is not None:
            sys.exit(f"`cargo run` ended with {studio.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the studio did not start")


def run_curls(block, port):
    """Runs the lines in one shell, as they are pasted, each curl telling its status."""
    lines = [line for line in block.replace("127.0.0.1:8000", f"127.0.0.1:{port}").splitlines() if line.strip()]
    curls = [line for line in lines if "curl " in line]
    script = "\n".join(line.replace("curl ", f"curl -w '%{{stderr}}%{{http_code}}\\n' ", 1) for line in lines)
    result = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=120)
    found = re.findall(r"^(\d{3})$", result.stderr, re.MULTILINE)
    print(result.stdout)
    print("statuses:", " ".join(found))
    if result.returncode or found != ["200"] * len(curls) or len(curls) < 5:
        sys.exit(f"the README's curl lines do not work: {result.stderr}")
    return result


def main():
    with open("README.md", encoding="utf-8") as file:
        readme = file.read()
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        # What the README says to type is `cargo run`; the rest keeps this run apart from a developer's own.
        command = ["cargo", "run", "--locked", "--", "--data", os.path.join(data, "studio")]
        environment = {**os.environ, "PORT": str(port)}
        studio = subprocess.Popen(command, env=environment)
        try:
            wait_until_up(studio, f"http://127.0.0.1:{port}/health")
            run_curls(block_after(readme, "<!-- try: curl -->"), port)
            run_websocket(readme, port)
        finally:
            studio.send_signal(signal.SIGINT)
            code = studio.wait(timeout=30)
        if code != 0:
            sys.exit(f"the studio ended with {code} after SIGINT")


def run_websocket(readme, port):
    """Runs the WebSocket example with a token of its own."""
    block = block_after(readme, "<!-- try: websocket -->").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    register = (
        f"""TOKEN=$(curl -sS -X POST http://127.0.0.1:{port}/api/auth/register -H 'Content-Type: application/json' """
        """-d '{"username":"window","email":"window@example.com","password":"password123"}' """
        """| sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')\n"""
    )
    # `wscat` ends with its standard input, which stays open for as long as somebody could be typing.
    shell = subprocess.Popen(
        ["bash", "-euc", register + block], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        shown = "".join(iter(shell.stdout.readline, ""))
    finally:
        shell.stdin.close()
        shell.wait(timeout=180)
    print(shown)
    for frame in ("auth_success", "chat_chunk", "chat_complete"):
        if frame not in shown:
            sys.exit(f"the README's WebSocket example showed no {frame}")


if __name__ == "__main__":
    main()
