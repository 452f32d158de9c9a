"""What an operator does to a deployed stack. `just` has a recipe for each command.

Needs Python and the AWS CLI, with credentials and a region. The environment variable STACK names the stack.
"""

import argparse
import getpass
import json
import os
import re
import subprocess
import sys
import tempfile

import samconfig

STACK = os.environ.get("STACK", "wechat-authorizer")

# What WeChat's console calls them.
FIELDS = {
    "component_appsecret": "AppSecret",
    "token": "消息校验Token",
    "encoding_aes_key": "消息加解密Key",
}

# Where the value before the last change stands while WeChat may still use it.
PREVIOUS = {"token": "previous_token", "encoding_aes_key": "previous_encoding_aes_key"}

# What the template puts in place of each.
PLACEHOLDER = "replace-me"


def aws(*arguments, stdin=None, **environment):
    """What the AWS CLI answers. Its own words on standard error are for the operator, too."""
    command = ["aws", *arguments, "--output", "json"]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, env=environment, text=True, check=False)
    if done.returncode:
        sys.exit(f"aws {arguments[0]} {arguments[1]} failed.")
    return json.loads(done.stdout or "null")


def ask(*arguments):
    """What the AWS CLI answers; None, and the last line of what it says, where it answers nothing."""
    done = subprocess.run(["aws", *arguments, "--output", "json"], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no answer"]
        return None, said[-1]
    return json.loads(done.stdout or "null"), ""


def output(key):
    """An output of the stack."""
    stack = aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"][0]
    for pair in stack.get("Outputs", []):
        if pair["OutputKey"] == key:
            return pair["OutputValue"]
    sys.exit(f"The stack {STACK} has no output {key}: is it deployed completely, from this version?")


def invoke(function_output, event):
    """What a function answers, however long it takes."""
    with tempfile.TemporaryDirectory() as directory:
        request, answer = os.path.join(directory, "event.json"), os.path.join(directory, "answer.json")
        with open(request, "w", encoding="utf-8") as file:
            json.dump(event, file)
        # A run may take 15 minutes, and a second one of the CLI's own would be of no use.
        invocation = aws(
            *("lambda", "invoke", "--function-name", output(function_output), "--cli-read-timeout", "960"),
            *("--payload", f"fileb://{request}", answer),
            AWS_MAX_ATTEMPTS="1",
        )
        with open(answer, encoding="utf-8") as file:
            result = json.load(file)
    if "FunctionError" in invocation:
        sys.exit(f"{result.get('errorType')}: {result.get('errorMessage')}")
    return result


def doctor(_arguments):
    """Checks from inside the deployed network what keeps the platform from working."""
    report = invoke("DoctorFunctionName", {})
    print(f"wechat-authorizer {report['version']}")
    for check in report["checks"]:
        print(f"{'✓' if check['ok'] else '✗'} {check['name']}: {check['detail']}")
        if check.get("fix"):
            print(f"    → {check['fix']}")
    if not report["ok"]:
        sys.exit(1)


def run_reconcile(dry_run, every_account=False):
    counts = invoke("ReconcileFunctionName", {"dry_run": dry_run, "all": every_account})
    print(", ".join(f"{name}: {str(count).lower()}" for name, count in counts.items()), flush=True)
    return counts


def reconcile(arguments):
    """Compares the table with WeChat's list and accounts, and restores and corrects. Takes up to 15 minutes."""
    run_reconcile(arguments.dry_run, arguments.all)


def import_accounts(arguments):
    """Takes over every account that authorizes the platform, from whatever system served it before."""
    print("Comparing the table with WeChat's list; nothing is written yet.", flush=True)
    found = run_reconcile(dry_run=True)
    if not arguments.yes and input(f"Restore {found['restored']} accounts? [y/N] ").strip().lower() != "y":
        sys.exit("Nothing was written.")
    in_vain = 0
    while True:
        counts = run_reconcile(dry_run=False)
        if counts["complete"] and counts["restored"] == 0:
            break
        # Once may be the end of its time.
        in_vain = in_vain + 1 if counts["restored"] == 0 else 0
        if in_vain == 2:
            sys.exit("WeChat stopped the run. `just logs reconcile --start-time '1 hour ago'` says why, `just doctor` what to "
                     "fix; then run this again, and it goes on where it stopped.")
    if counts["failed"]:
        print(f"{counts['failed']} accounts are left. `just logs reconcile --start-time '1 hour ago'` names each, and says why.")
        sys.exit(1)
    print("Every account that authorizes the platform is in the table.")


def entered(file):
    """The values to put: from a file with any of the fields, or typed in. An empty one stays as it is."""
    if file:
        with open(file, encoding="utf-8") as source:
            values = json.load(source)
    else:
        print("Each value is asked for and not shown. Enter alone keeps the one that is there.")
        values = {name: getpass.getpass(f"{label} ({name}): ").strip() for name, label in FIELDS.items()}
    unknown = values.keys() - FIELDS.keys()
    if unknown:
        sys.exit(f"Only {', '.join(FIELDS)} can be put, not {', '.join(sorted(unknown))}.")
    return {name: value for name, value in values.items() if value}


def rotate_secret(arguments):
    """Puts what WeChat's console shows into the secret: the first time, and whenever one of the three changes."""
    arn = output("ComponentSecretArn")
    stored = json.loads(aws("secretsmanager", "get-secret-value", "--secret-id", arn)["SecretString"])
    if arguments.finish:
        gone = [name for name in PREVIOUS if stored.pop(PREVIOUS[name], None) is not None]
        if not gone:
            sys.exit("There is no previous one.")
        put_secret(arn, stored)
        print(f"Gone, as it was before the change: {', '.join(FIELDS[name] for name in gone)}.")
        return
    values = entered(arguments.file)
    stored = {**dict.fromkeys(FIELDS, PLACEHOLDER), **stored}
    changed = {name for name, value in values.items() if stored.get(name) != value}
    placeholders = {name for name, value in {**stored, **values}.items() if value == PLACEHOLDER}
    if placeholders:
        sys.exit(f"Not put, because it is not known yet: {', '.join(sorted(placeholders))}.")
    if not re.fullmatch("[A-Za-z0-9]{43}", {**stored, **values}["encoding_aes_key"]):
        sys.exit("Not put: a 消息加解密Key has 43 letters and digits.")
    if not changed:
        sys.exit("Nothing to put: the secret has these values.")
    replaced = [name for name in PREVIOUS if name in changed and stored[name] != PLACEHOLDER]
    for name in replaced:
        under_way = stored.get(PREVIOUS[name])
        # Two are tried, and the one that the console has must stay one of them.
        if under_way not in (None, values[name]) and not arguments.correct:
            sys.exit(
                f"Not put: a change of {FIELDS[name]} is under way. If WeChat's console has the newer one already, first:\n"
                "  just rotate-secret --finish\nIf it still has the older one: just rotate-secret --correct"
            )
        if not (under_way and arguments.correct):
            stored[PREVIOUS[name]] = stored[name]
    was_empty = stored["token"] == PLACEHOLDER
    put_secret(arn, {**stored, **values})
    print(f"Put: {', '.join(FIELDS[name] for name in FIELDS if name in changed)}.")
    if was_empty:
        print("WeChat's next ticket arrives within ten minutes: just logs events. Then: just doctor")
        return
    if replaced:
        fields = " and ".join(FIELDS[name] for name in replaced)
        print(f"Pushes are read with the old and the new one. Wait 5 minutes, then change {fields} in WeChat's console.")
        print("After a day: just rotate-secret --finish")
    print("Functions know it within 5 minutes. Then: just doctor")


def put_secret(arn, secret):
    # Through a pipe, so that it is neither on the command line nor in a file.
    put = ("secretsmanager", "put-secret-value", "--secret-id", arn, "--secret-string", "file:///dev/stdin")
    aws(*put, stdin=json.dumps(secret))


# A stack with one of these was never complete, or its update was stopped and not taken back.
FIRST = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "UPDATE_FAILED")


def deploy(arguments):
    """Deploys what is built; further options go to sam deploy. A first deployment that fails keeps what it has made, and is
    continued by the next: rolled back, it would leave tables, key and secret behind."""
    name = arguments.stack_name or samconfig.stack_name(arguments.config_env)
    found, why = ask("cloudformation", "describe-stacks", "--stack-name", name)
    if found is None and "does not exist" not in why:
        sys.exit(why)
    is_first = found is None or found["Stacks"][0]["StackStatus"] in FIRST
    rollback = "--disable-rollback" if is_first else "--no-disable-rollback"
    command = ["sam", "deploy", "--config-env", arguments.config_env, "--stack-name", name, rollback, *arguments.rest]
    sys.exit(subprocess.run(command, check=False).returncode)


# Fields of WeChat's console under 开发配置, and the outputs that go into them.
CONSOLE = (
    ("授权发起页域名", "AuthorizationHost", ""),
    ("授权事件接收URL", "EventsUrl", ""),
    ("消息与事件接收URL", "MessagesUrl", ""),
    ("白名单IP地址列表", "WechatAllowList", "with Network=existing your NAT's addresses; with none what just doctor names"),
)


def console(_arguments):
    """Says what goes into which field of WeChat's console."""
    stack = aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"][0]
    outputs = {pair["OutputKey"]: pair["OutputValue"] for pair in stack.get("Outputs", [])}
    print("open.weixin.qq.com → 管理中心 → 第三方平台 → 开发配置, in the test version; 全网发布 copies it to the live one:")
    for field, name, otherwise in CONSOLE:
        print(f"  {field}: {outputs.get(name, otherwise)}")
    for field in ("消息校验Token", "消息加解密Key"):
        print(f"  {field}: what you choose there, and give to just rotate-secret")
    print("Then just rotate-secret, wait ten minutes for a ticket, just doctor, and open " + outputs["AuthorizeUrl"])


ANYTHING = {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}


def protect(arguments):
    """Keeps an update from replacing or removing tables, secret, key, API, domain and network, and the addresses on WeChat's
    allow-list; and the stack from being deleted by mistake."""
    policies = {STACK: "stack-policy.json"}
    # All of them: the other call that lists resources ends at a hundred.
    listed = aws("cloudformation", "list-stack-resources", "--stack-name", STACK)["StackResourceSummaries"]
    for resource in listed:
        if resource["LogicalResourceId"] == "NetworkStack":
            policies[resource["PhysicalResourceId"]] = "network-policy.json"
    for stack, policy in policies.items():
        body = json.dumps(ANYTHING) if arguments.off else (samconfig.ROOT / "ops" / policy).read_text(encoding="utf-8")
        aws("cloudformation", "set-stack-policy", "--stack-name", stack, "--stack-policy-body", body)
    termination = "--no-enable-termination-protection" if arguments.off else "--enable-termination-protection"
    aws("cloudformation", "update-termination-protection", "--stack-name", STACK, termination)
    if arguments.off:
        print("Not protected. Afterwards: just protect")
    else:
        print("Protected. To give up the network, an address, the domain or the stack on purpose, first: just protect --off")


# What the template retains, by its logical names.
TABLES = ("AuthorizersTable", "PlatformTable")
RETAINED = (*TABLES, "ComponentSecret", "TablesKey")


# CloudFormation tells of a stack that is gone for 90 days, by its id. The others are there, and have failed.
GONE = ("DELETE_COMPLETE", "ROLLBACK_COMPLETE")
FAILED = ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED")


def leftovers(arguments):
    """What stacks of this name that are gone have left behind: tables, secret and key. Nothing of a stack whose tables
    have an item is touched, and no key that a backup may need."""
    stacks = aws("cloudformation", "list-stacks", "--stack-status-filter", *GONE, *FAILED)["StackSummaries"]
    removable = []
    for found in stacks:
        if found["StackName"] != STACK:
            continue
        if found["StackStatus"] in FAILED:
            print(f"{found['StackStatus']}: the stack is still there. Deploy again, or sam delete --stack-name {STACK}")
            continue
        events = aws("cloudformation", "describe-stack-events", "--stack-name", found["StackId"])["StackEvents"]
        retained = {
            event["LogicalResourceId"]: event["PhysicalResourceId"]
            for event in events
            if event["LogicalResourceId"] in RETAINED and event["ResourceStatus"] == "DELETE_SKIPPED"
        }
        left = {name: retained[name] for name in RETAINED if name in retained and is_there(name, retained[name])}
        if not left:
            continue
        print(f"{found['StackStatus']} since {found.get('DeletionTime', found['CreationTime'])}:")
        for name, physical in left.items():
            print(f"  {name}: {physical}")
        full = [name for name in TABLES if name in left and has_items(left[name])]
        removed = [name for name in TABLES if name in retained and name not in left]
        if full:
            print(f"  kept, because of items in {' and '.join(full)}: they may be merchants' authorizations")
        elif "ComponentSecret" in left and is_put(left["ComponentSecret"]):
            print("  kept, because the secret has been put")
        elif removed:
            print(f"  kept: {' and '.join(removed)} was removed before, and a backup of it can be read with this key only")
        else:
            removable.append(left)
    if not removable:
        print("Nothing is left that may be removed.")
        return
    if not arguments.remove:
        print("Remove what is not kept: just leftovers --remove")
        return
    if not arguments.yes and input("Remove all that is not kept? [y/N] ").strip().lower() != "y":
        sys.exit("Nothing was removed.")
    for left in removable:
        for name, physical in left.items():
            remove(name, physical)


def is_there(name, physical):
    """Whether nobody has removed it, or begun to."""
    if name in TABLES:
        return physical in aws("dynamodb", "list-tables")["TableNames"]
    if name == "ComponentSecret":
        secrets = aws("secretsmanager", "list-secrets", "--filters", f"Key=name,Values={physical.split(':')[-1][:-7]}")
        return physical in [secret["ARN"] for secret in secrets["SecretList"] if "DeletedDate" not in secret]
    found, why = ask("kms", "describe-key", "--key-id", physical)
    if found is None and "NotFoundException" not in why:
        sys.exit(why)
    return found is not None and found["KeyMetadata"]["KeyState"] == "Enabled"


def has_items(table):
    return aws("dynamodb", "scan", "--table-name", table, "--limit", "1", "--consistent-read")["Count"] > 0


def is_put(secret):
    value = json.loads(aws("secretsmanager", "get-secret-value", "--secret-id", secret)["SecretString"])
    return set(value.values()) != {PLACEHOLDER}


def remove(name, physical):
    if name in TABLES:
        aws("dynamodb", "update-table", "--table-name", physical, "--no-deletion-protection-enabled")
        aws("dynamodb", "wait", "table-exists", "--table-name", physical)
        # Once more, now that it would go.
        if has_items(physical):
            sys.exit(f"{physical} has items by now, and stays.")
        aws("dynamodb", "delete-table", "--table-name", physical)
        print(f"Removed: {physical}")
    elif name == "ComponentSecret":
        aws("secretsmanager", "delete-secret", "--secret-id", physical, "--recovery-window-in-days", "30")
        print(f"Gone in 30 days, until then aws secretsmanager restore-secret brings it back: {physical}")
    else:
        aws("kms", "schedule-key-deletion", "--key-id", physical, "--pending-window-in-days", "30")
        print(f"Gone in 30 days, until then aws kms cancel-key-deletion keeps it: {physical}")


def main():
    parser = argparse.ArgumentParser(prog="stack.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name, action):
        added = commands.add_parser(name, help=action.__doc__, description=action.__doc__)
        added.set_defaults(action=action)
        return added

    command("doctor", doctor)
    reconciling = command("reconcile", reconcile)
    reconciling.add_argument("--dry-run", action="store_true", help="report without writing")
    reconciling.add_argument("--all", action="store_true",
                             help="compare every account now, and not only those whose turn it is")
    command("import", import_accounts).add_argument("--yes", action="store_true", help="do not ask")
    command("console", console)
    deploying = command("deploy", deploy)
    deploying.add_argument("--config-env", default="default", help="which part of samconfig.toml")
    deploying.add_argument("--stack-name", help="if it is not that of samconfig.toml")
    command("protect", protect).add_argument("--off", action="store_true", help="allow everything again")
    leaving = command("leftovers", leftovers)
    leaving.add_argument("--remove", action="store_true", help="remove what is listed and not kept")
    leaving.add_argument("--yes", action="store_true", help="do not ask")
    rotating = command("rotate-secret", rotate_secret)
    rotating.add_argument("file", nargs="?", help="JSON with any of the fields; else they are asked for")
    rotating.add_argument("--correct", action="store_true", help="replace a new value that the console does not have yet")
    rotating.add_argument("--finish", action="store_true", help="take out what was there before a change")
    arguments, arguments.rest = parser.parse_known_args()
    if arguments.rest and arguments.action is not deploy:
        parser.error(f"unrecognized arguments: {' '.join(arguments.rest)}")
    arguments.action(arguments)


if __name__ == "__main__":
    main()
