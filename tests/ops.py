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
# In place of the AWS CLI: it answers what a file says, by how its arguments begin.
CLI = """#!{python}
import fnmatch, json, os, sys
if sys.argv[1:3] == ["lambda", "invoke"]:
    # Every function answers with its event.
    event, answer = sys.argv[sys.argv.index("--payload") + 1:][:2]
    open(answer, "w").write(open(event.removeprefix("fileb://")).read())
    sys.exit(print("{{}}"))
call = " ".join(sys.argv[1:])
with open(os.environ["CALLS"], "a") as calls:
    calls.write(call + "\\n")
if "file:///dev/stdin" in sys.argv:
    open(os.environ["CALLS"] + ".put", "w").write(sys.stdin.read())
answers = json.load(open(os.environ["ANSWERS"]))
answer = answers[max((key for key in answers if fnmatch.fnmatchcase(call, key + " *")), key=len)]
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
    """A program of ops/ in a copy of the project, with stand-ins for the AWS CLI and SAM."""

    def run_with(self, *arguments, changes={}, parameters=(), config=None, release=False, answers="", tools=("sam", "cargo"), **variables):
        """What it prints, and its exit status."""
        with tempfile.TemporaryDirectory() as directory:
            bin, place = Path(directory, "bin"), Path(directory, "place")
            bin.mkdir()
            for name in ("aws", *tools):
                file = bin / name
                says = 'echo "$0 $*" >> "$CALLS"\necho 1.2.3\n'
                file.write_text(CLI.format(python=sys.executable) if name == "aws" else f"#!/bin/sh\n{says}")
                file.chmod(file.stat().st_mode | stat.S_IXUSR)
            shutil.copytree(ROOT / "ops", place / "ops")
            for name in ("template.yaml", "network.yaml", "samconfig.toml"):
                text = (ROOT / name).read_text(encoding="utf-8")
                if name == "samconfig.toml":
                    text = config or text
                if name == "samconfig.toml" and parameters:
                    text = text.replace('["Network=created"]', json.dumps(list(parameters)))
                if name == "template.yaml" and release:
                    text = text.replace("CodeUri: .\n", "CodeUri: function\n")
                (place / name).write_text(text, encoding="utf-8")
            said, calls = Path(directory, "answers.json"), Path(directory, "calls")
            said.write_text(json.dumps({**GOOD, **changes}))
            calls.touch()
            environment = {
                "PATH": f"{bin}:/usr/bin:/bin", "ANSWERS": str(said), "CALLS": str(calls), "AWS_DEFAULT_REGION": "us-east-1",
                "PYTHONDONTWRITEBYTECODE": "1", **variables,
            }
            done = subprocess.run(
                [sys.executable, place / "ops" / self.NAME, *arguments], cwd=place, input=answers,
                env=environment, capture_output=True, text=True, check=False)
            self.assertNotIn("Traceback", done.stderr)
            self.calls = [line.removeprefix(f"{bin}/") for line in calls.read_text().splitlines()]
            put = Path(directory, "calls.put")
            self.put = put.read_text() if put.exists() else ""
            self.errors = done.stderr
            self.config = (place / "samconfig.toml").read_text(encoding="utf-8")
            return done.stdout, done.returncode


class Preflight(Program):
    NAME = "preflight.py"

    def check_finds(self, part, *arguments, **variables):
        said, status = self.run_with(*arguments, **variables)
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
        self.check_finds("has 55 characters", "--stack-name", "s" * 55)
        self.check_finds("differ", AWS_REGION="eu-west-1")
        self.check_finds("no zones of xx-west-9", AWS_DEFAULT_REGION="xx-west-9")

    def test_the_account_that_is_looked_at_is_the_one_that_sam_deploys_to(self):
        def config(line, section="deploy"):
            heading = f"[default.{section}.parameters]\n"
            return (ROOT / "samconfig.toml").read_text(encoding="utf-8").replace(heading, heading + line + "\n")
        for section in ("deploy", "global"):
            self.check_finds("deploys to eu-west-1", config=config('region = "eu-west-1"', section))
            self.check_finds("with the profile shop", config=config('profile = "shop"', section))
        self.assertEqual(self.run_with(config=config('region = "us-east-1"'))[1], 0)
        self.assertEqual(self.run_with(config=config('profile = "shop"'), AWS_PROFILE="shop")[1], 0)

    def test_what_the_file_does_not_name_stays_as_it_is_deployed(self):
        there = [{"ParameterKey": f"{name}Concurrency", "ParameterValue": "0"} for name in ("Visits", "Events", "Messages", "Refresh")]
        small = {
            "cloudformation describe-stacks": {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": there}]},
            "lambda get-account-settings": {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}},
        }
        self.assertEqual(self.run_with(changes=small)[1], 0)
        self.check_finds("concurrency: 10", changes=small, parameters=["Network=none", "VisitsConcurrency=5"])

    def test_what_a_choice_does_without_is_not_asked_for(self):
        none = {"ec2 describe-addresses": {"Addresses": [{}] * 5}, "ec2 describe-availability-zones": {"AvailabilityZones": []}}
        self.assertEqual(self.run_with(parameters=["Network=none"], changes=none)[1], 0)
        self.assertEqual(self.run_with(parameters=["Network=created", "Zones=use1-az1,use1-az4"])[1], 0)
        one = {"ec2 describe-addresses": {"Addresses": [{}] * 4}}
        self.assertEqual(self.run_with(parameters=["Network=created", "NatGateways=1"], changes=one)[1], 0)
        small = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
        self.assertEqual(self.run_with("--config-env", "trial", changes={"lambda get-account-settings": small})[1], 0)

    def test_who_deploys_a_release_needs_no_compiler(self):
        self.check_finds("cargo lambda is not installed", tools=["sam"])
        self.assertEqual(self.run_with(tools=["sam"], release=True)[1], 0)

    def test_a_role_that_is_bound_to_the_boundary_is_told_to_name_it(self):
        boundary = "arn:aws:iam::123456789012:policy/boundary-of-wechat-authorizer"
        said, _ = self.run_with(parameters=["Network=none", f"PermissionsBoundary={boundary}"])
        self.assertIn("✓ the permissions", said)
        (asked,) = [call for call in self.calls if "iam:CreateRole " in call]
        self.assertIn(json.dumps([{"ContextKeyName": "iam:PermissionsBoundary", "ContextKeyType": "string",
                                   "ContextKeyValues": [boundary]}]), asked)
        denied = {"EvaluationResults": [{"EvalActionName": "iam:CreateRole", "EvalDecision": "implicitDeny"}]}
        without = "iam simulate-principal-policy * arn:aws:iam::123456789012:role/wechat-authorizer-* --action-names iam:Attach*"
        self.check_finds("not allowed without a boundary: iam:CreateRole", changes={without: denied})

    def test_what_a_stack_has_already_is_not_missing(self):
        there = [{"ParameterKey": key, "ParameterValue": value} for key, value in (
            ("Network", "created"), ("VisitsConcurrency", "250"), ("EventsConcurrency", "100"))]
        used = {
            "cloudformation describe-stacks": {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": there}]},
            "ec2 describe-addresses": {"Addresses": [{}] * 5},
            "lambda get-account-settings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 250}},
        }
        self.assertEqual(self.run_with(changes=used)[1], 0)
        self.check_finds("Elastic IPs: 5 of 5", changes={**used, "cloudformation describe-stacks": {
            "Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": there[1:]}]}})

    def test_a_first_deployment_that_failed_is_gone_on_with(self):
        failed = {"Stacks": [{"StackStatus": "CREATE_FAILED"}]}
        said, status = self.run_with(changes={"cloudformation describe-stacks": failed})
        self.assertEqual((status, "Deploying goes on with it" in said), (0, True), said)

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

    def rotated(self, stored, values, *options):
        """What the secret is after the command, or None and what it says."""
        secret = {"secretsmanager get-secret-value": {"SecretString": json.dumps(stored)}}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(json.dumps(values))
            file.flush()
            source = [file.name] if values else []
            said, status = self.run_with("rotate-secret", *source, *options, changes={**self.CHANGES, **secret})
        return (json.loads(self.put), said) if status == 0 else (None, self.errors)

    def test_what_is_replaced_stays_beside_it_until_the_end(self):
        for name, values in (("token", "new newer"), ("encoding_aes_key", f"{'n' * 43} {'m' * 43}")):
            (new, newer), previous = values.split(), f"previous_{name}"
            put, said = self.rotated(self.STORED, {name: new})
            self.assertEqual(put, {**self.STORED, name: new, previous: self.STORED[name]})
            self.assertIn("Wait 5 minutes", said)
            refused, said = self.rotated(put, {name: newer})
            self.assertIsNone(refused)
            self.assertIn("is under way", said)
            corrected, _ = self.rotated(put, {name: newer}, "--correct")
            self.assertEqual(corrected, {**self.STORED, name: newer, previous: self.STORED[name]})
            back, _ = self.rotated(corrected, {name: self.STORED[name]})
            self.assertEqual(back, {**self.STORED, previous: newer})
            self.assertEqual(self.rotated(back, {}, "--finish")[0], self.STORED)
        self.assertIn("There is no previous one.", self.rotated(self.STORED, {}, "--finish")[1])

    def test_nothing_is_kept_of_the_placeholder(self):
        fresh = dict.fromkeys(self.STORED, "replace-me")
        put, said = self.rotated(fresh, self.STORED)
        self.assertEqual(put, self.STORED)
        self.assertIn("WeChat's next ticket", said)


class Deploy(Program):
    NAME = "stack.py"

    def deploys(self, status, *arguments):
        there = {"Stacks": [{"StackStatus": status}]} if status else "An error occurred (ValidationError): X does not exist"
        said = self.run_with("deploy", *arguments, changes={"cloudformation describe-stacks": there})
        self.assertEqual(said[1], 0, self.errors)
        return self.calls[-1]

    def test_only_a_first_deployment_is_not_rolled_back(self):
        for status, rollback in (
            (None, "--disable-rollback"), ("REVIEW_IN_PROGRESS", "--disable-rollback"), ("CREATE_FAILED", "--disable-rollback"),
            ("UPDATE_FAILED", "--disable-rollback"), ("CREATE_COMPLETE", "--no-disable-rollback"),
            ("UPDATE_ROLLBACK_COMPLETE", "--no-disable-rollback"),
        ):
            command = self.deploys(status, "--no-confirm-changeset")
            self.assertEqual(command, f"sam deploy --config-env default --stack-name wechat-authorizer {rollback} "
                                      "--no-confirm-changeset", status)
        self.assertIn("--stack-name wechat-authorizer-trial ", self.deploys(None, "--config-env", "trial"))

    def test_without_an_answer_nothing_is_deployed(self):
        _, status = self.run_with("deploy", changes={"cloudformation describe-stacks": "Unable to locate credentials"})
        self.assertEqual((status, [call for call in self.calls if call.startswith("sam")]), (1, []))


class Protect(Program):
    NAME = "stack.py"
    NESTED = {"StackResourceSummaries": [{"LogicalResourceId": "NetworkStack", "PhysicalResourceId": "nested"}]}
    CHANGES = {
        "cloudformation list-stack-resources": NESTED, "cloudformation set-stack-policy": {},
        "cloudformation update-termination-protection": {},
    }

    def test_the_network_stays_and_so_do_its_addresses(self):
        said, status = self.run_with("protect", changes=self.CHANGES)
        self.assertEqual(status, 0, said)
        calls = "\n".join(self.calls)
        self.assertRegex(calls, r"--stack-name wechat-authorizer --stack-policy-body [^$]*Deny[^$]*LogicalResourceId/NetworkStack")
        self.assertRegex(calls, r"--stack-name nested --stack-policy-body [^$]*Deny")
        self.assertIn("--enable-termination-protection", calls)

    def test_protection_is_taken_away_on_purpose(self):
        said, status = self.run_with("protect", "--off", changes=self.CHANGES)
        self.assertEqual(status, 0, said)
        calls = "\n".join(self.calls)
        self.assertEqual((calls.count("set-stack-policy"), calls.count("Deny")), (2, 0), calls)
        self.assertIn("--no-enable-termination-protection", calls)


class Leftovers(Program):
    NAME = "stack.py"
    NAMES = {"AuthorizersTable": "w-AuthorizersTable-1", "PlatformTable": "w-PlatformTable-1",
             "ComponentSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:ComponentSecret-1-abcdef", "TablesKey": "key-1"}

    def account(self, **changes):
        """An account in which a first deployment was rolled back."""
        events = [{"LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceStatus": "DELETE_SKIPPED"}
                  for name, physical in self.NAMES.items()]
        stack = {"StackName": "wechat-authorizer", "StackId": "1", "StackStatus": "ROLLBACK_COMPLETE", "CreationTime": "then"}
        return {
            "cloudformation list-stacks": {"StackSummaries": [stack]},
            "cloudformation describe-stack-events": {"StackEvents": events},
            "dynamodb list-tables": {"TableNames": [self.NAMES["AuthorizersTable"], self.NAMES["PlatformTable"]]},
            "dynamodb scan": {"Count": 0}, "dynamodb update-table": {}, "dynamodb wait": {}, "dynamodb delete-table": {},
            "secretsmanager list-secrets": {"SecretList": [{"ARN": self.NAMES["ComponentSecret"]}]},
            "secretsmanager get-secret-value": {"SecretString": json.dumps({"token": "replace-me"})},
            "secretsmanager delete-secret": {},
            "kms describe-key": {"KeyMetadata": {"KeyState": "Enabled"}}, "kms schedule-key-deletion": {},
            **{key.replace("_", " ", 1).replace("_", "-"): value for key, value in changes.items()},
        }

    def removed(self, **changes):
        """What is removed, and what is said."""
        said, status = self.run_with("leftovers", "--remove", "--yes", changes=self.account(**changes))
        self.assertEqual(status, 0, said + self.errors)
        return [call.split(" --output")[0] for call in self.calls if re.search(r"delete|schedule-key", call)], said

    def test_what_a_failed_deployment_left_is_removed(self):
        calls, _ = self.removed()
        self.assertEqual([call.split()[1] for call in calls],
                         ["delete-table", "delete-table", "delete-secret", "schedule-key-deletion"])

    def test_a_key_that_is_gone_is_no_leftover(self):
        gone = "An error occurred (NotFoundException) when calling the DescribeKey operation: Key does not exist"
        calls, said = self.removed(kms_describe_key=gone)
        self.assertEqual(len(calls), 3, said)
        calls, said = self.removed(
            kms_describe_key=gone, dynamodb_list_tables={"TableNames": []}, secretsmanager_list_secrets={"SecretList": []})
        self.assertEqual((calls, said.strip()), ([], "Nothing is left that may be removed."))

    def test_a_key_stays_that_a_backup_may_need(self):
        calls, said = self.removed(
            dynamodb_list_tables={"TableNames": []}, secretsmanager_list_secrets={"SecretList": []})
        self.assertEqual(calls, [])
        self.assertIn("can be read with this key only", said)

    def test_a_deployment_that_never_made_tables_leaves_a_key_that_nothing_needs(self):
        events = [{"LogicalResourceId": "TablesKey", "PhysicalResourceId": "key-1", "ResourceStatus": "DELETE_SKIPPED"}]
        calls, _ = self.removed(cloudformation_describe_stack_events={"StackEvents": events})
        self.assertEqual([call.split()[1] for call in calls], ["schedule-key-deletion"])

    def test_what_merchants_authorized_stays(self):
        calls, said = self.removed(dynamodb_scan={"Count": 1})
        self.assertEqual((calls, "may be merchants' authorizations" in said), ([], True))
        calls, said = self.removed(secretsmanager_get_secret_value={"SecretString": json.dumps({"token": "mine"})})
        self.assertEqual((calls, "the secret has been put" in said), ([], True))

    def test_a_stack_that_failed_and_is_there_is_named(self):
        for status in ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"):
            stack = {"StackName": "wechat-authorizer", "StackId": "1", "StackStatus": status, "CreationTime": "then"}
            calls, said = self.removed(cloudformation_list_stacks={"StackSummaries": [stack]})
            self.assertEqual((calls, f"{status}: the stack is still there" in said), ([], True), said)


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
        self.assertEqual(self.denied("stack-policy.json"), retained | {"Api", "ApiDomain", "NetworkStack"})
        network = (ROOT / "network.yaml").read_text(encoding="utf-8")
        addresses = set(re.findall(r"^  (\w+):\n    Type: AWS::EC2::EIP$", network, re.MULTILINE))
        self.assertEqual(self.denied("network-policy.json"), addresses)


class Setup(Program):
    NAME = "setup.py"

    def overrides(self, *answers, **variables):
        """The parameters that samconfig.toml has after these answers, and the rest of it."""
        said, status = self.run_with(answers="\n".join([*answers, *[""] * 9]), **variables)
        self.assertEqual(status, 0, said + self.errors)
        parameters = tomllib.loads(self.config)
        pairs = parameters["default"]["deploy"]["parameters"].pop("parameter_overrides")
        self.pairs = pairs
        return dict(pair.split("=", 1) for pair in pairs), parameters

    def test_the_answers_are_written_and_nothing_else_is_changed(self):
        original = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
        del original["default"]["deploy"]["parameters"]["parameter_overrides"]
        given, rest = self.overrides("wx7c0de5a4db0c0001", "none", "ops@example.com")
        self.assertLessEqual({"ComponentAppid": "wx7c0de5a4db0c0001", "Network": "none", "AlarmEmail": "ops@example.com"}.items(),
                             given.items())
        self.assertEqual(rest, original)
        # Asked again, it proposes what it has.
        again, _ = self.overrides("", "", "", parameters=self.pairs)
        self.assertEqual(again, given)

    def test_a_wrong_answer_is_asked_for_again_and_existing_subnets_are_asked_for(self):
        given, _ = self.overrides(
            "gh_1", "wx7c0de5a4db0c0001", "existing", "subnet-1", "subnet-12345678", "sg-12345678", "")
        self.assertEqual((given["SubnetIds"], given["SecurityGroupIds"]), ("subnet-12345678", "sg-12345678"))
        self.assertNotIn("AlarmEmail", given)

    def test_a_hyphen_takes_an_answer_back(self):
        self.overrides("wx7c0de5a4db0c0001", "none", "ops@example.com", "Shop")
        given, _ = self.overrides("", "", "-", "-", parameters=self.pairs)
        # Left out, they would stay as they are deployed.
        self.assertEqual((given["AlarmEmail"], given["PlatformName"]), ('""', '""'))

    def test_another_network_takes_the_subnets_back(self):
        self.overrides("wx7c0de5a4db0c0001", "existing", "subnet-12345678", "sg-12345678")
        given, _ = self.overrides("", "created", parameters=self.pairs)
        self.assertEqual((given["SubnetIds"], given["SecurityGroupIds"]), ('""', '""'))

    def test_what_sam_has_written_itself_is_kept(self):
        sam = r'''ComponentAppid="wx7c0de5a4db0c0001" Network="none" PlatformName="My Shop" SupportContact="\"us\" 1" Zones=""'''
        before = (ROOT / "samconfig.toml").read_text(encoding="utf-8").replace('["Network=created"]', json.dumps(sam))
        given, _ = self.overrides(config=before)
        self.assertEqual((given["PlatformName"], given["SupportContact"]), ('"My Shop"', r'"\"us\" 1"'))

    def test_in_a_small_account_nothing_is_reserved(self):
        small = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
        given, _ = self.overrides("wx7c0de5a4db0c0001", "none", changes={"lambda get-account-settings": small})
        reserved = {name: value for name, value in given.items() if name.endswith("Concurrency")}
        self.assertEqual(reserved, dict.fromkeys(
            [f"{name}Concurrency" for name in ("Visits", "Events", "Messages", "Refresh")], "0"))
        for answer in ({"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 548}}, "AccessDenied"):
            given, _ = self.overrides("wx7c0de5a4db0c0001", "none", changes={"lambda get-account-settings": answer})
            self.assertFalse([name for name in given if name.endswith("Concurrency")])

    def test_the_name_is_as_long_as_the_template_takes_it(self):
        given, _ = self.overrides("wx7c0de5a4db0c0001", "none", "", "s" * 31, "s" * 30)
        self.assertEqual(given["PlatformName"], "s" * 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
