"""What a first deployment needs of the account, looked at before anything is made. `just preflight` runs it, and so does
`just setup`.

Needs Python and the AWS CLI, with credentials and a region. Changes nothing. What will be deployed is what samconfig.toml
says. What cannot be looked at is said, and is no failure.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import samconfig
from stack import FIRST, ask

# What CloudFormation and Lambda allow.
LONGEST_NAME = 54
UNRESERVED = 100
# Quotas by the codes of Service Quotas: what each is of, and how many of them are in use.
ADDRESSES = ("ec2", "L-0263D0A3", "Elastic IPs", ("ec2", "describe-addresses"), "Addresses")
VPCS = ("vpc", "L-F678F1CE", "VPCs", ("ec2", "describe-vpcs"), "Vpcs")
GATEWAYS = ("vpc", "L-A4707A72", "internet gateways", ("ec2", "describe-internet-gateways"), "InternetGateways")


class Findings:
    def __init__(self):
        self.failed = 0

    def good(self, text):
        print(f"✓ {text}")

    def bad(self, text, fix):
        self.failed += 1
        print(f"✗ {text}\n    → {fix}")

    def unknown(self, text, why):
        print(f"? {text} could not be looked at: {why}")


def name(findings, stack):
    if len(stack) > LONGEST_NAME or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", stack):
        findings.bad(f"the stack's name has {len(stack)} characters: {stack}",
                     f"at most {LONGEST_NAME} letters, digits and hyphens, beginning with a letter")
    else:
        findings.good(f"the stack's name is {stack}")


def caller(findings):
    """Who asks. Without credentials nothing else can be looked at."""
    identity, why = ask("sts", "get-caller-identity")
    if identity is None:
        findings.bad(f"no credentials: {why}", "aws configure, or AWS_PROFILE; and AWS_DEFAULT_REGION")
        return None
    findings.good(f"credentials of {identity['Arn']}")
    return identity


def profile(findings, environment):
    """The profile that the AWS CLI and SAM agree on."""
    written, found = samconfig.setting(environment, "profile"), os.environ.get("AWS_PROFILE")
    if written and written != found:
        findings.bad(f"samconfig.toml deploys with the profile {written}, and the AWS CLI asks with {found or 'none'}",
                     f"export AWS_PROFILE={written}, or take profile out of samconfig.toml")


def region(findings, environment):
    """The region that the AWS CLI and SAM agree on."""
    written, found = samconfig.setting(environment, "region"), os.environ.get("AWS_DEFAULT_REGION")
    if not found:
        findings.bad("AWS_DEFAULT_REGION is not set: SAM looks at nothing else", "export AWS_DEFAULT_REGION=…")
    elif written and written != found:
        findings.bad(f"samconfig.toml deploys to {written}, and AWS_DEFAULT_REGION is {found}",
                     f"export AWS_DEFAULT_REGION={written}, or take region out of samconfig.toml")
    elif os.environ.get("AWS_REGION", found) != found:
        findings.bad("AWS_REGION and AWS_DEFAULT_REGION differ: the AWS CLI takes the first and SAM the second",
                     "let both be the same, or unset AWS_REGION")
    else:
        findings.good(f"the region is {found}")
    return found


def deployed(findings, stack):
    """The parameters that a stack of this name has already."""
    found, why = ask("cloudformation", "describe-stacks", "--stack-name", stack)
    if found is None:
        if "does not exist" in why:
            findings.good("there is no stack of this name yet")
        else:
            findings.unknown("whether there is a stack of this name", why)
        return {}
    found = found["Stacks"][0]
    status = found["StackStatus"]
    if status in FIRST:
        findings.good(f"a first deployment is not complete: {status}. Deploying goes on with it")
    elif status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        findings.bad(f"a stack of this name failed: {status}", "delete it (sam delete), then just leftovers")
    else:
        findings.good(f"there is a stack of this name already: {status}. Deploying updates it")
    return {pair["ParameterKey"]: pair["ParameterValue"] for pair in found.get("Parameters", [])}


def concurrency_limit():
    """How many functions the account may run at once; None where it cannot be looked at."""
    settings, _ = ask("lambda", "get-account-settings")
    return settings and settings["AccountLimit"]["ConcurrentExecutions"]


def concurrency(findings, parameters, there):
    settings, why = ask("lambda", "get-account-settings")
    if settings is None:
        findings.unknown("Lambda's concurrency", why)
        return
    limit = settings["AccountLimit"]
    wanted = samconfig.reserved(parameters)
    reserved = sum(wanted.values())
    # What a stack that exists has reserved is not free any more, and is its own.
    free = limit["UnreservedConcurrentExecutions"] + sum(samconfig.reserved(there).values())
    text = f"Lambda's concurrency: {limit['ConcurrentExecutions']}, of which {free} are not reserved"
    if free - reserved >= UNRESERVED or reserved == 0:
        findings.good(text)
    else:
        findings.bad(f"{text}; the stack reserves {reserved}, and {UNRESERVED} must stay unreserved",
                     f"in samconfig.toml add {' '.join(f'{name}=0' for name in wanted)} to parameter_overrides, or have the "
                     "quota Concurrent executions raised first: Service Quotas, AWS Lambda")


def quota(findings, needed, service, code, what, call, key):
    limit, why = ask("service-quotas", "get-service-quota", "--service-code", service, "--quota-code", code)
    used, why_not = ask(*call)
    if limit is None or used is None:
        findings.unknown(f"the quota of {what}", why or why_not)
        return
    limit, used = int(limit["Quota"]["Value"]), len(used[key])
    text = f"{what}: {used} of {limit} in use, the stack needs {needed}"
    if used + needed <= limit:
        findings.good(text)
    else:
        findings.bad(text, f"release some, or have the quota of {what} raised: Service Quotas, {service}")


def default_zones(region):
    """The zones that network.yaml takes in a region."""
    text = (samconfig.ROOT / "network.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^    {re.escape(region)}: {{A: (\S+), B: (\S+)}}$", text, re.MULTILINE)
    return list(found.groups()) if found else []


def zones(findings, region, chosen):
    wanted = chosen.split(",") if chosen else default_zones(region)
    if not wanted:
        findings.bad(f"network.yaml knows no zones of {region}", "in samconfig.toml add Zones=<two zone ids> to parameter_overrides")
        return
    found, why = ask("ec2", "describe-availability-zones")
    if found is None:
        findings.unknown("the availability zones", why)
        return
    there = {zone["ZoneId"] for zone in found["AvailabilityZones"] if zone["State"] == "available"}
    missing = [zone for zone in wanted if zone not in there]
    if missing:
        findings.bad(f"this account has no zone {', '.join(missing)}",
                     f"in samconfig.toml add Zones=<two of {', '.join(sorted(there))}> to parameter_overrides")
    else:
        findings.good(f"availability zones {', '.join(wanted)}")


def permissions(findings, identity, region, parameters):
    """Whether the caller may do what ops/deployer-policy.json lists."""
    arn = identity["Arn"]
    if arn.endswith(":root"):
        findings.bad("these are the credentials of the account's root", "take a role: docs/first-deployment.md")
        return
    # A session's role is what has the policies.
    if session := re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+", arn):
        arn = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"
    policy = json.loads((samconfig.ROOT / "ops" / "deployer-policy.json").read_text(encoding="utf-8"))
    denied, roles_denied = [], []
    for statement in policy["Statement"]:
        if statement["Sid"] == "NetworkCreated" and parameters["Network"] != "created":
            continue
        resources = statement["Resource"]
        resource = resources if isinstance(resources, str) else resources[0]
        resource = resource.replace("arn:*", f"arn:{identity['Arn'].split(':')[1]}").replace(
            "::*:", f"::{identity['Account']}:").replace(":*:*:", f":{region}:{identity['Account']}:")
        # As the stack will ask: with its boundary, and through the services that it uses.
        condition = {key: value if isinstance(value, str) else value[0]
                     for keys in statement.get("Condition", {}).values() for key, value in keys.items()}
        within = "iam:PermissionsBoundary" in condition
        if within:
            condition["iam:PermissionsBoundary"] = parameters["PermissionsBoundary"]
        context = [{"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
                   for key, value in condition.items() if value]
        answer, why = ask("iam", "simulate-principal-policy", "--policy-source-arn", arn, "--resource-arns", resource,
                          *(("--context-entries", json.dumps(context)) if context else ()),
                          "--action-names", *statement["Action"])
        if answer is None:
            findings.unknown("the permissions", why)
            return
        found = [result["EvalActionName"] for result in answer["EvaluationResults"] if result["EvalDecision"] != "allowed"]
        (roles_denied if within else denied).extend(found)
    if roles_denied and not denied and not parameters["PermissionsBoundary"]:
        findings.bad(f"not allowed without a boundary: {', '.join(roles_denied)}",
                     "in samconfig.toml add PermissionsBoundary=<ARN of boundary-of-wechat-authorizer> to parameter_overrides")
    elif roles_denied or denied:
        findings.bad(f"not allowed: {', '.join([*roles_denied, *denied])}",
                     "give the role ops/deployer-policy.json: docs/first-deployment.md")
    else:
        findings.good("the permissions of ops/deployer-policy.json")


def tools(findings):
    commands = [("sam", "--version")]
    # A release is built already.
    if "CodeUri: .\n" in samconfig.template():
        commands.append(("cargo", "lambda", "--version"))
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            done = None
        if done is None or done.returncode:
            findings.bad(f"{' '.join(command[:-1])} is not installed", "install it: docs/deploy.md, What you need")
        else:
            findings.good(done.stdout.strip())


def main():
    parser = argparse.ArgumentParser(prog="preflight.py", description=__doc__)
    parser.add_argument("--config-env", default="default", help="which part of samconfig.toml will be deployed")
    parser.add_argument("--stack-name", help="if it will not be that of samconfig.toml")
    arguments = parser.parse_args()
    stack = arguments.stack_name or samconfig.stack_name(arguments.config_env)
    findings = Findings()
    name(findings, stack)
    tools(findings)
    profile(findings, arguments.config_env)
    here = region(findings, arguments.config_env)
    identity = caller(findings)
    if identity and here:
        there = deployed(findings, stack)
        parameters = samconfig.parameters(arguments.config_env, there)
        concurrency(findings, parameters, there)
        if parameters["Network"] == "created" and there.get("Network") != "created":
            quota(findings, int(parameters["NatGateways"]), *ADDRESSES)
            quota(findings, 1, *VPCS)
            quota(findings, 1, *GATEWAYS)
            zones(findings, here, parameters["Zones"])
        permissions(findings, identity, here, parameters)
    if findings.failed:
        sys.exit(f"{findings.failed} to fix first.")
    print("Deploy.")


if __name__ == "__main__":
    main()
