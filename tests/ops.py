"""What an operator's programs say and do: ops/preflight.py against accounts that lack something, ops/setup.py with answers,
and ops/stack.py.

    python tests/ops.py
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# In place of the AWS CLI: it answers what a file says, by the first two arguments.
CLI = """#!{python}
import json, os, sys
if sys.argv[1:3] == ["lambda", "invoke"]:
    # Every function answers with its event.
    event, answer = sys.argv[sys.argv.index("--payload") + 1:][:2]
    open(answer, "w").write(open(event.removeprefix("fileb://")).read())
    sys.exit(print("{{}}"))
answer = json.load(open(os.environ["ANSWERS"]))[" ".join(sys.argv[1:3])]
if isinstance(answer, str):
    sys.exit(answer)
if sys.argv[1:3] == ["service-quotas", "get-service-quota"]:
    answer = answer[sys.argv[sys.argv.index("--quota-code") + 1]]
print(json.dumps(answer))
"""
ROLE = "arn:aws:sts::123456789012:assumed-role/pipeline-of-wechat-authorizer/me"


def quota(value):
    return {"Quota": {"Value": value}}


# An account that has all that a stack needs.
GOOD = {
    "sts get-caller-identity": {"Arn": ROLE, "Account": "123456789012"},
    "cloudformation describe-stacks": "An error occurred (ValidationError): Stack with id wechat-authorizer does not exist",
    "lambda get-account-settings": {
        "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    },
    "service-quotas get-service-quota": {"L-0263D0A3": quota(5.0), "L-F678F1CE": quota(5.0), "L-A4707A72": quota(5.0)},
    "ec2 describe-addresses": {"Addresses": []},
    "ec2 describe-vpcs": {"Vpcs": [{}]},
    "ec2 describe-internet-gateways": {"InternetGateways": [{}]},
    "ec2 describe-availability-zones": {
        "AvailabilityZones": [{"ZoneId": f"use1-az{number}", "State": "available"} for number in (1, 2, 4)]
    },
    "iam simulate-principal-policy": {"EvaluationResults": [{"EvalActionName": "x:Y", "EvalDecision": "allowed"}]},
}


class Program(unittest.TestCase):
    """A program of ops/ with a stand-in for the AWS CLI."""

    def run_with(self, *arguments, changes={}, **variables):
        """What it prints, and its exit status."""
        with tempfile.TemporaryDirectory() as directory:
            for name in ("aws", "sam", "cargo"):
                file = Path(directory, name)
                file.write_text(CLI.format(python=sys.executable) if name == "aws" else "#!/bin/sh\necho 1.2.3\n")
                file.chmod(file.stat().st_mode | stat.S_IXUSR)
            answers = Path(directory, "answers.json")
            answers.write_text(json.dumps({**GOOD, **changes}))
            environment = {
                "PATH": f"{directory}:{os.environ['PATH']}", "ANSWERS": str(answers), "AWS_DEFAULT_REGION": "us-east-1",
                "PYTHONDONTWRITEBYTECODE": "1", **variables,
            }
            done = subprocess.run(
                [sys.executable, ROOT / "ops" / self.NAME, *arguments],
                env=environment, capture_output=True, text=True, check=False)
            self.assertNotIn("Traceback", done.stderr)
            return done.stdout, done.returncode


class Preflight(Program):
    NAME = "preflight.py"

    def check_finds(self, part, *arguments, changes={}, **variables):
        said, status = self.run_with(*arguments, changes=changes, **variables)
        lines = said.splitlines()
        wrong = [line for line in lines if line.startswith("✗")]
        self.assertEqual(len(wrong), 1, said)
        self.assertIn(part, wrong[0])
        self.assertTrue(lines[lines.index(wrong[0]) + 1].startswith("    → "), said)
        self.assertEqual(status, 1)

    def test_an_account_that_has_everything_is_told_to_deploy(self):
        said, status = self.run_with()
        self.assertEqual((status, said.splitlines()[-1]), (0, "Deploy."), said)
        self.assertNotIn("✗", said)
        self.assertNotIn("?", said)

    def test_what_an_account_lacks_is_found_with_what_to_do(self):
        small = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
        zones = {"AvailabilityZones": [{"ZoneId": "use1-az1", "State": "available"}, {"ZoneId": "use1-az2", "State": "impaired"}]}
        denied = {"EvaluationResults": [{"EvalActionName": "pipes:CreatePipe", "EvalDecision": "implicitDeny"}]}
        failed = {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}
        for part, changes in (
            ("concurrency: 10", {"lambda get-account-settings": small}),
            ("Elastic IPs: 4 of 5", {"ec2 describe-addresses": {"Addresses": [{}] * 4}}),
            ("VPCs: 5 of 5", {"ec2 describe-vpcs": {"Vpcs": [{}] * 5}}),
            ("no zone use1-az2", {"ec2 describe-availability-zones": zones}),
            ("pipes:CreatePipe", {"iam simulate-principal-policy": denied}),
            ("ROLLBACK_COMPLETE", {"cloudformation describe-stacks": failed}),
            ("no credentials", {"sts get-caller-identity": "Unable to locate credentials"}),
            ("root", {"sts get-caller-identity": {"Arn": "arn:aws:iam::123456789012:root", "Account": "123456789012"}}),
        ):
            with self.subTest(part):
                self.check_finds(part, changes=changes)
        self.check_finds("has 55 characters", STACK="s" * 55)
        self.check_finds("differ", AWS_REGION="eu-west-1")
        self.check_finds("no zones of xx-west-9", AWS_DEFAULT_REGION="xx-west-9")

    def test_what_a_choice_does_without_is_not_asked_for(self):
        none = {"ec2 describe-addresses": {"Addresses": [{}] * 5}, "ec2 describe-availability-zones": {"AvailabilityZones": []}}
        self.assertEqual(self.run_with("--network", "none", changes=none)[1], 0)
        self.assertEqual(self.run_with("--zones", "use1-az1,use1-az4")[1], 0)
        small = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
        self.assertEqual(self.run_with("--reserved", "0", changes={"lambda get-account-settings": small})[1], 0)

    def test_what_may_not_be_looked_at_is_said_and_is_no_failure(self):
        refused = "An error occurred (AccessDenied): no"
        said, status = self.run_with(changes={"iam simulate-principal-policy": refused, "ec2 describe-vpcs": refused})
        self.assertEqual((status, said.count("? ")), (0, 2), said)


class Stack(Program):
    NAME = "stack.py"
    OUTPUTS = [{"OutputKey": key, "OutputValue": key} for key in ("ReconcileFunctionName", "ComponentSecretArn")]
    STORED = {"component_appsecret": "s", "token": "old", "encoding_aes_key": "k" * 43}
    CHANGES = {
        "cloudformation describe-stacks": {"Stacks": [{"Outputs": OUTPUTS}]},
        "secretsmanager get-secret-value": {"SecretString": json.dumps(STORED)},
        "secretsmanager put-secret-value": {},
    }

    def test_reconcile_is_asked_for_what_the_operator_says(self):
        for arguments, event in (
            ([], "dry_run: false, all: false"),
            (["--dry-run"], "dry_run: true, all: false"),
            (["--all"], "dry_run: false, all: true"),
        ):
            said, status = self.run_with("reconcile", *arguments, changes=self.CHANGES)
            self.assertEqual((said.strip(), status), (event, 0))

    def test_after_another_token_every_account_is_to_be_compared(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(json.dumps({"token": "new"}))
            file.flush()
            said, status = self.run_with("rotate-secret", file.name, changes=self.CHANGES)
        self.assertEqual(status, 0, said)
        self.assertIn("Then: just reconcile --all", said)


class Policies(unittest.TestCase):
    def test_the_deployer_s_policy_fits_into_a_role(self):
        for name, longest in (("deployer", 10_240), ("operator", 6_144), ("boundary", 6_144)):
            policy = json.loads((ROOT / "ops" / f"{name}-policy.json").read_text(encoding="utf-8"))
            self.assertLess(len(json.dumps(policy, separators=(",", ":"))), longest, name)

    def denied(self, policy):
        policy = json.loads((ROOT / "ops" / policy).read_text(encoding="utf-8"))
        (deny,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Deny"]
        self.assertEqual(deny["Action"], ["Update:Replace", "Update:Delete"])
        return {name.removeprefix("LogicalResourceId/") for name in deny["Resource"]}

    def test_no_update_replaces_what_holds_state_or_what_wechat_s_console_names(self):
        template = (ROOT / "template.yaml").read_text(encoding="utf-8")
        retained = set(re.findall(r"^  (\w+):(?:\n    .*)*\n    DeletionPolicy: Retain$", template, re.MULTILINE))
        self.assertIn("TablesKey", retained)
        self.assertEqual(self.denied("stack-policy.json"), retained | {"Api", "ApiDomain"})
        network = (ROOT / "network.yaml").read_text(encoding="utf-8")
        addresses = set(re.findall(r"^  (\w+):\n    Type: AWS::EC2::EIP$", network, re.MULTILINE))
        self.assertEqual(self.denied("network-policy.json"), addresses)


class Setup(unittest.TestCase):
    def overrides(self, *answers, before=None):
        """The parameters that samconfig.toml has after these answers, and the rest of it."""
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            shutil.copytree(ROOT / "ops", place / "ops")
            shutil.copy(ROOT / "template.yaml", place)
            text = before or (ROOT / "samconfig.toml").read_text(encoding="utf-8")
            (place / "samconfig.toml").write_text(text, encoding="utf-8")
            answers = [*answers, *[""] * 9]
            done = subprocess.run(
                [sys.executable, place / "ops" / "setup.py"], input="\n".join(answers), capture_output=True, text=True,
                check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.written = (place / "samconfig.toml").read_text(encoding="utf-8")
            parameters = tomllib.loads(self.written)
            pairs = parameters["default"]["deploy"]["parameters"].pop("parameter_overrides")
            return dict(pair.split("=", 1) for pair in pairs), parameters

    def test_the_answers_are_written_and_nothing_else_is_changed(self):
        original = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
        del original["default"]["deploy"]["parameters"]["parameter_overrides"]
        given, rest = self.overrides("wx7c0de5a4db0c0001", "none", "ops@example.com")
        self.assertLessEqual({"ComponentAppid": "wx7c0de5a4db0c0001", "Network": "none", "AlarmEmail": "ops@example.com"}.items(),
                             given.items())
        self.assertEqual(rest, original)
        # Asked again, it proposes what it has.
        again, _ = self.overrides("", "", "", before=self.written)
        self.assertEqual(again, given)

    def test_a_wrong_answer_is_asked_for_again_and_existing_subnets_are_asked_for(self):
        given, _ = self.overrides(
            "gh_1", "wx7c0de5a4db0c0001", "existing", "subnet-1", "subnet-12345678", "sg-12345678", "")
        self.assertEqual((given["SubnetIds"], given["SecurityGroupIds"]), ("subnet-12345678", "sg-12345678"))
        self.assertNotIn("AlarmEmail", given)

    def test_a_hyphen_takes_an_answer_back(self):
        self.overrides("wx7c0de5a4db0c0001", "none", "ops@example.com", "Shop")
        given, _ = self.overrides("", "", "-", "-", before=self.written)
        # Left out, they would stay as they are deployed.
        self.assertEqual((given["AlarmEmail"], given["PlatformName"]), ('""', '""'))

    def test_another_network_takes_the_subnets_back(self):
        self.overrides("wx7c0de5a4db0c0001", "existing", "subnet-12345678", "sg-12345678")
        given, _ = self.overrides("", "created", before=self.written)
        self.assertEqual((given["SubnetIds"], given["SecurityGroupIds"]), ('""', '""'))

    def test_the_name_is_as_long_as_the_template_takes_it(self):
        given, _ = self.overrides("wx7c0de5a4db0c0001", "none", "", "s" * 31, "s" * 30)
        self.assertEqual(given["PlatformName"], "s" * 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
