"""An emulator of AWS with the stack in it, and the simulated WeChat beside it."""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import boto3
from botocore.config import Config

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
from loops import with_loops_written_out
from programs import (
    ARCHITECTURE, COMPONENT_APPID, ROOT, TARGET, Failure, Program, build_sandbox, request, run, say, spawned, stay_offline,
    start_sandbox, until,
)

WORK = ROOT / "target" / "deployment"
# The emulator, and what an operator has: just and the AWS CLI.
TOOLS = ROOT / "target" / "gate-emulator" / "bin"
STACK = "wechat-authorizer"
# The sandbox's account that this is tried with.
ACCOUNT = "wx5a4db0cb00c50003"


class Deployment:
    """The emulator, the stack in it, and the simulated WeChat."""

    def __init__(self, port, wechat_port):
        self.address = f"127.0.0.1:{port}"
        self.endpoint = f"http://{self.address}"
        # The sandbox's start page. Its WeChat is on the next port.
        self.sandbox_port = wechat_port
        self.wechat_address = f"127.0.0.1:{wechat_port + 1}"
        self.programs = []
        self.clients = {}
        self.resources = {}
        self.secrets = set()
        self.invocations = collections.Counter()
        self.emulator = self.wechat = None

    # ---- The parts.

    def start_emulator(self):
        shutil.rmtree(WORK / "tmp", ignore_errors=True)
        (WORK / "tmp").mkdir(parents=True)
        port = self.address.split(":")[1]
        self.emulator = Program(
            "the emulator", [TOOLS / "ministack"], WORK / "emulator.log",
            BIND_HOST="127.0.0.1", GATEWAY_PORT=port, TMPDIR=str(WORK / "tmp"), IOT_MTLS_ENABLED="0",
            # Whoever calls needs a policy that allows it, the functions too.
            AUTH="true",
            # On AWS the functions find AWS by themselves, and Lambda tells them of their LoggingConfig. Here they
            # inherit both.
            AWS_ENDPOINT_URL=self.endpoint, AWS_LAMBDA_LOG_FORMAT="JSON",
        )
        self.programs.append(self.emulator)
        self.emulator.wait_for(r"Ready")

    def start_wechat(self):
        self.wechat = start_sandbox(
            self.sandbox_port, WORK / "sandbox.log", "--push-to", self.outputs["EventsUrl"])
        self.programs.append(self.wechat)

    def end(self):
        for program in reversed(self.programs):
            program.end()
        # The functions' binaries, a copy for each.
        shutil.rmtree(WORK / "tmp", ignore_errors=True)

    def client(self, service):
        if service not in self.clients:
            config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 1})
            self.clients[service] = boto3.client(
                service, endpoint_url=self.endpoint, region_name="us-east-1", config=config)
        return self.clients[service]

    # ---- The stack.

    def sam(self, *arguments, seconds=120):
        run(["sam", *arguments], WORK / "sam.log", seconds, AWS_ENDPOINT_URL=self.endpoint)

    def deploy(self, **parameters):
        """As `just deploy` does what is built, with the bucket that SAM makes by itself; only the question is left out."""
        values = {
            "ComponentAppid": COMPONENT_APPID,
            "Architecture": ARCHITECTURE,
            "Network": "none",
            "WechatApiBaseUrl": f"http://{self.wechat_address}",
            **parameters,
        }
        run([sys.executable, ROOT / "ops" / "stack.py", "deploy", "--config-file", ROOT / "samconfig.toml",
             "--template-file", built_without_loops(), "--no-confirm-changeset", "--parameter-overrides",
             *(f"{name}={value}" for name, value in values.items())],
            WORK / "sam.log", 120, AWS_ENDPOINT_URL=self.endpoint, PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
        said = (WORK / "sam.log").read_text(encoding="utf-8")
        self.rolls_back = re.search(r"Disable rollback +: (True|False)", said)[1] == "False"
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.status, self.stack_id = stack["StackStatus"], stack["StackId"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        self.resources = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in resources}

    def routes(self):
        routes = self.client("apigatewayv2").get_routes(ApiId=self.resources["Api"])["Items"]
        return sorted(route["RouteKey"] for route in routes)

    def finish_tables(self):
        """On AWS CloudFormation sets a table's time to live and point-in-time recovery. The emulator leaves them out,
        so they are set here as the template says."""
        dynamodb = self.client("dynamodb")
        for name, resource in self.deployed_template()["Resources"].items():
            if resource["Type"] != "AWS::DynamoDB::Table":
                continue
            properties, table = resource["Properties"], self.resources[name]
            if "TimeToLiveSpecification" in properties:
                dynamodb.update_time_to_live(
                    TableName=table, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
            if "PointInTimeRecoverySpecification" in properties:
                dynamodb.update_continuous_backups(
                    TableName=table, PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"])

    def deployed_template(self):
        """As CloudFormation has it, after SAM's transformation."""
        template = self.client("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")
        template = template["TemplateBody"]
        return json.loads(template) if isinstance(template, str) else template

    def put_secret(self):
        """What the sandbox's `secret` prints is what an operator copies from WeChat's console."""
        program = [TARGET / "debug" / "sandbox", "secret", "--port", str(self.sandbox_port)]
        self.rotate_secret(json.loads(subprocess.check_output(program, timeout=20)))

    def rotate_secret(self, values, *options, status=0):
        self.secrets.update(values.values())
        file = WORK / "secret.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        try:
            return self.just("rotate-secret", file, *options, status=status)
        finally:
            file.unlink()

    def secret(self):
        found = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["ComponentSecretArn"])
        return json.loads(found["SecretString"])

    def just(self, *recipe, status=0):
        """What a recipe for operators prints, with the AWS CLI that is installed beside the emulator."""
        path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [TOOLS / "just", *map(str, recipe)], timeout=120, text=True, check=False,
            **spawned(subprocess.PIPE, {"PATH": path, "AWS_ENDPOINT_URL": self.endpoint}))
        if done.returncode != status:
            raise Failure(f"just {recipe[0]} ends with status {done.returncode}: {self.mask(done.stdout)}")
        return done.stdout

    def api(self, method, path, **headers):
        """A visit of the deployed API. On AWS the API has its own name and a certificate; the emulator goes by
        the Host."""
        host = self.outputs["AuthorizationHost"]
        visitor = {"Accept": "text/html", "Accept-Language": "zh-CN", "User-Agent": "Mozilla/5.0", **headers}
        return request(method, self.address, path, {"Host": host, **visitor})

    def invoke(self, function, event):
        """The result of a deployed function, which must not be an error. Everybody calls the alias."""
        if function not in self.resources:
            raise Failure(f"the stack has no {function}")
        self.invocations[function] += 1
        answer = self.client("lambda").invoke(
            FunctionName=f"{self.resources[function]}:live", Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Failure(f"{function} ended with {payload.get('errorType')}: {payload.get('errorMessage')}")
        return payload

    def live(self):
        """The functions and the version that the alias of each leads to."""
        functions = [name for name in self.resources if name.endswith("Function")]
        return {name: int(self.client("lambda").get_alias(
            FunctionName=self.resources[name], Name="live")["FunctionVersion"]) for name in functions}

    def press(self, action, **fields):
        """A button of the sandbox's start page."""
        form = urllib.parse.urlencode({"action": action, **fields})
        answer = request("POST", f"127.0.0.1:{self.sandbox_port}", "/sandbox",
                         {"Content-Type": "application/x-www-form-urlencoded"}, form)
        if answer.status != 303:
            raise Failure(f"the start page answers {action} with {answer.status}")

    def push_ticket(self):
        """Until one is stored: a function keeps the secret that it has for a while, if that one can be one."""
        def pushed():
            self.press("ticket")
            return self.platform_item("ticket#")
        until("a ticket is stored", pushed, seconds=90, every=2)

    # ---- What there is to see.

    def table(self, output, **credentials):
        tables = boto3.resource("dynamodb", endpoint_url=self.endpoint, region_name="us-east-1", **credentials)
        return tables.Table(self.outputs[output])

    def items(self, output):
        items = self.table(output).scan(ConsistentRead=True)["Items"]
        # What must not be in any log.
        secret = ["authorizer_access_token", "authorizer_refresh_token", "component_access_token",
                  "component_verify_ticket", "authorization_code", "pre_auth_code"]
        self.secrets.update(item[name] for item in items for name in secret if item.get(name))
        return items

    def platform_item(self, kind):
        return next((item for item in self.items("PlatformTableName") if item["pk"].startswith(kind)), None)

    def record(self, account=ACCOUNT):
        items = self.items("AuthorizersTableName")
        return next((item for item in items if item["authorizer_appid"] == account), None)

    def calls(self, endpoint):
        """How often WeChat was asked, by the sandbox's own account."""
        return len(re.findall(rf"^wechat +{endpoint} ", self.wechat.printed(), re.MULTILINE))

    def log_groups(self):
        return [name for name in self.resources if name.endswith("Logs")]

    def log(self, group):
        """The lines of a log group of the template."""
        lines = []
        pages = self.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self.resources[group]):
            lines += [event["message"] for event in page["events"]]
        return lines

    def mask(self, text):
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***").replace(urllib.parse.quote(secret, safe=""), "***")
        return text

    def show_logs(self):
        """For whoever reads that a step failed."""
        for program in self.programs:
            say(f"\nthe last lines of {program.name}:")
            say(self.mask("\n".join(program.printed().splitlines()[-60:])))
        for group in self.log_groups():
            try:
                lines = self.log(group)[-20:]
            except Exception:  # Whatever it is, it is not what failed.
                continue
            say(f"\nthe last lines of {group}:")
            say(self.mask("\n".join(lines)))


def built_without_loops():
    """The built template. On AWS CloudFormation writes out the loops of a nested stack; the emulator does that for a
    stack, but for none in a stack. So they are written out here."""
    build = ROOT / ".aws-sam" / "build"
    text = (build / "template.yaml").read_text(encoding="utf-8")
    for nested in build.glob("*Stack/template.yaml"):
        written_out = nested.with_name("without-loops.json")
        written_out.write_text(json.dumps(with_loops_written_out(nested)), encoding="utf-8")
        text = text.replace(f"{nested.parent.name}/{nested.name}", f"{nested.parent.name}/{written_out.name}")
    template = build / "without-loops.yaml"
    template.write_text(text, encoding="utf-8")
    return template


def prepare():
    """What must be there before anything starts."""
    if not (ROOT / ".aws-sam" / "build" / "template.yaml").exists():
        raise Failure("nothing is built: run sam build")
    if not (TOOLS / "ministack").exists():
        raise Failure("the emulator is not installed: bash .ci/run and just deploy-local do that")
    WORK.mkdir(parents=True, exist_ok=True)
    build_sandbox()
    stay_offline()


def with_stack(stack, steps):
    """Starts the emulator, takes the steps, and ends every program. If a step fails, the last lines of each are shown."""
    begun = time.monotonic()
    try:
        stack.start_emulator()
        for step in steps:
            step(stack)
        say(f"  done in {time.monotonic() - begun:.0f} s")
    except BaseException as error:
        if not isinstance(error, (KeyboardInterrupt, SystemExit)):
            stack.show_logs()
        raise
    finally:
        stack.end()
