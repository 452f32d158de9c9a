#!/usr/bin/env python3
"""Runs a function in a container: `sam local start-api` serves what `sam build` left, and the
request of an event file is answered, against the sandbox on this machine.

SAM needs a Docker engine. One that answers is used; otherwise it is installed with apt-get and started for this step.
Where that cannot be done, for want of privileges, the step says what was not shown and ends well.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import boto3

# The tree stays clean.
sys.dont_write_bytecode = True
from docker_engine import NoEngine, host_address, start_engine
from programs import (
    ARCHITECTURE, COMPONENT_APPID, ROOT, TARGET, Failure, Program,
    build_sandbox, expect, free_port, main, request, run, say, start_sandbox, stay_offline,
)

WORK = ROOT / "target" / "start-api"
# A separate name, so that nobody takes it for an image of Lambda.
IMAGE = "wechat-authorizer-runtime"
EVENT = "callback"
# The account behind the event's code.
ACCOUNT = "wx5a4db0c0ffee0001"


def libraries(file):
    """What a program is linked with, and the loader."""
    listed = subprocess.run(["ldd", file], capture_output=True, text=True, check=False, timeout=10).stdout
    return re.findall(r"(/\S+)", listed)


def make_image(engine):
    """The image in place of Lambda's own, which may be out of reach: the function's libraries, a shell, and the two
    commands that SAM runs while it adds its runtime interface emulator. They come from this machine, whose C library
    is not older than Lambda's wherever Rust and SAM run. On AWS it is Amazon Linux 2023."""
    bootstrap = ROOT / ".aws-sam" / "build" / "VisitsFunction" / "bootstrap"
    commands = {f"bin/{name}": os.path.realpath(shutil.which(name)) for name in ("sh", "mv", "chmod")}
    files = {path.lstrip("/"): path for file in (bootstrap, *commands.values()) for path in libraries(file)}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for name in ("tmp", "etc", "var/rapid", "var/task", "var/runtime", "opt"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        for name, path in sorted({**files, **commands}.items()):
            tar.add(path, name)
    # The same files are the same image, which is made once. SAM keeps its own beside it, by this name without the tag.
    repository = f"{IMAGE}-{hashlib.sha256(archive.getvalue()).hexdigest()[:12]}"
    image = f"{repository}:{ARCHITECTURE}"
    if not engine.images.list(image):
        imported = engine.api.import_image_from_data(archive.getvalue(), repository=repository, tag=ARCHITECTURE)
        if "error" in imported:
            raise Failure(f"the image cannot be made: {imported}")
    return image


def event_request():
    """The HTTP request that API Gateway made the event of."""
    event = json.loads((ROOT / "events" / f"{EVENT}.json").read_text(encoding="utf-8"))
    headers = {name: value for name, value in event["headers"].items() if name not in ("host", "content-length")}
    return event["requestContext"]["http"]["method"], f"{event['rawPath']}?{event['rawQueryString']}", headers


def answer_event(engine, programs):
    image = make_image(engine)
    port = free_port(4)
    # Containers come in by the bridge. Not only there: the sandbox's own addresses are 127.0.0.1.
    programs.append(start_sandbox(port, WORK / "sandbox.log", "--listen", "0.0.0.0"))
    sandbox = programs[-1]
    run([TARGET / "debug" / "sandbox", "env", "--port", port, "--host", host_address(engine)], WORK / "env.json", 30)
    sandbox.wait_for(r"^wechat +pushed component_verify_ticket 200 ")

    address = f"127.0.0.1:{port + 3}"
    programs.append(Program(
        "sam local start-api",
        ["sam", "local", "start-api", "--host", "127.0.0.1", "--port", port + 3, "--env-vars", WORK / "env.json",
         "--skip-pull-image", "--invoke-image", image,
         "--parameter-overrides", f"Architecture={ARCHITECTURE}", f"ComponentAppid={COMPONENT_APPID}"],
        WORK / "sam.log",
        # Makes way for the secret among the sandbox's variables.
        COMPONENT_SECRET_ARN="",
    ))
    programs[-1].wait_for(r"Running on http://127\.0\.0\.1", seconds=60)
    method, path, headers = event_request()
    answer = request(method, address, path, headers, seconds=180)
    expect(answer.status == 303, f"sam local start-api answers events/{EVENT}.json with the way to its page", answer.status)
    headers["cookie"] = answer.headers.get("set-cookie", "").split(";")[0]
    answer = request("GET", address, f"/{answer.headers['location']}", headers, seconds=180)
    expect(answer.status == 200 and "授权成功" in answer.body and ACCOUNT in answer.body,
           "and there with the confirmation page, and the account", answer.status)

    variables = json.loads((WORK / "env.json").read_text())["Parameters"]
    tables = boto3.resource("dynamodb", endpoint_url=f"http://127.0.0.1:{port + 2}", region_name="us-east-1")
    record = tables.Table(variables["AUTHORIZERS_TABLE"]).get_item(
        Key={"authorizer_appid": ACCOUNT, "component_appid": COMPONENT_APPID}).get("Item", {})
    expect(record.get("status") == "authorized" and record.get("authorizer_refresh_token"),
           "and the function in the container has written the record")


def show():
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        engine, started = start_engine(WORK / "dockerd.log")
    except NoEngine as error:
        say(f"  !! NOT SHOWN, no Docker engine ({error}): that sam local start-api answers a callback !!")
        return
    programs = [started] if started else []
    try:
        build_sandbox()
        stay_offline()
        answer_event(engine, programs)
    except Exception:
        for program in programs:
            say(f"\nthe last lines of {program.name}:\n" + "\n".join(program.printed().splitlines()[-40:]))
        raise
    finally:
        for program in reversed(programs):
            program.end(grace=30)


if __name__ == "__main__":
    main(show)
