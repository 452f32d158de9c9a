"""What the programs of this folder share: programs that are started and ended, requests, and facts."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# The platform of the simulated WeChat.
COMPONENT_APPID = "wx7c0de5a4db0c0001"
# The functions are built for this machine's own processor.
ARCHITECTURE = "arm64" if os.uname().machine == "aarch64" else "x86_64"


class Failure(Exception):
    """A promise that does not hold, in a sentence."""


def say(line):
    print(line, flush=True)


def fact(sentence):
    """One proved fact."""
    say(f"  ok  {sentence}")


def expect(holds, sentence, shown=""):
    if not holds:
        raise Failure(f"{sentence}{f': {shown}' if shown != '' else ''}")
    fact(sentence)


def until(what, found, seconds=30, every=0.1):
    """Asks `found` until it has an answer."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(every)
    return answer


def free_port(together=1, first=None):
    """The first of this many ports in a row that nobody listens on. Below the range from which outgoing connections get
    theirs, so that one that is free now still is in a moment."""
    for port in range(first or 20000 + os.getpid() % 8000, 32000, 10):
        try:
            for candidate in range(port, port + together):
                with socket.socket() as listener:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    listener.bind(("127.0.0.1", candidate))
            return port
        except OSError:
            continue
    raise Failure("no port is free")


def environment(**variables):
    """The variables for a program that is to reach nothing but this machine: without what a developer has set for AWS
    or as a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "COMPONENT_", "WECHAT_")) and not name.lower().endswith("_proxy")
    }
    offline = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }
    return {**kept, **offline, **variables}


def stay_offline():
    """From here on this process and what it starts ask nothing but this machine."""
    offline = environment(NO_PROXY="*")
    os.environ.clear()
    os.environ.update(offline)


def spawned(output, variables):
    """How every program is started: with what it prints in one place, and nobody to ask."""
    return {
        "cwd": ROOT,
        "env": environment(**variables),
        "stdin": subprocess.DEVNULL,
        "stdout": output,
        "stderr": subprocess.STDOUT,
    }


class Program:
    """A program in the background, with all that it prints in a file."""

    def __init__(self, name, arguments, log, **variables):
        self.name = name
        self.log = log
        with open(log, "w", encoding="utf-8") as output:
            # A separate process group, so that what it starts can be ended with it, and Ctrl-C reaches only this script.
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments], start_new_session=True, **spawned(output, variables))

    def printed(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def check(self):
        """A program that ended does nothing more, and nobody needs to wait for it."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with status {self.process.returncode}")

    def wait_for(self, pattern, seconds=30):
        """Until it has printed something."""
        def printed():
            found = re.search(pattern, self.printed(), re.MULTILINE)
            return found or self.check()
        return until(f"{self.name} prints {pattern!r}", printed, seconds)

    def end(self, grace=10):
        self.process.terminate()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        # What is left of its group. The group is its own as long as somebody is in it.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def run(arguments, log, seconds, **variables):
    """A program that ends by itself. What it printed is shown if it fails."""
    arguments = [str(argument) for argument in arguments]
    with open(log, "w", encoding="utf-8") as output:
        try:
            done = subprocess.run(arguments, timeout=seconds, check=False, **spawned(output, variables))
            status = f"status {done.returncode}" if done.returncode else None
        except subprocess.TimeoutExpired:
            status = f"not done after {seconds} s"
    if status:
        say(log.read_text(encoding="utf-8", errors="replace"))
        raise Failure(f"{' '.join(arguments[:3])}: {status}")


class Answer:
    """An answer over HTTP."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read().decode("utf-8", errors="replace")


def request(method, address, path, headers=None, body=None, seconds=30):
    """One request to `host:port` on this machine, along no redirect."""
    connection = http.client.HTTPConnection(address, timeout=seconds)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def build_sandbox():
    command = ["cargo", "build", "--quiet", "--package", "sandbox", "--locked", "--bin", "sandbox"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Failure("the sandbox cannot be built")


def start_sandbox(port, log, *options):
    """On this port and the two after it. Returns once it has printed its address, which is another if somebody was
    faster."""
    # With -v, because the proofs count the calls of WeChat in what it prints.
    program = Program("the sandbox", [TARGET / "debug" / "sandbox", "-v", "--port", port, *options], log)
    try:
        address = program.wait_for(r"^ *Open http://([^ /]+)/$").group(1)
        wechat = program.wait_for(r"^ *The simulated WeChat is http://([^ /]+)$").group(1)
        if (address, wechat) != (f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"):
            raise Failure(f"somebody else has port {port} or {port + 1}")
        return program
    except BaseException:
        program.end()
        raise


def main(program):
    """Runs a program: its failure is one sentence and status 1."""
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        program()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
