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

STACK = os.environ.get("STACK", "wechat-authorizer")

# What WeChat's console calls them.
FIELDS = {
    "component_appsecret": "AppSecret",
    "token": "消息校验Token",
    "encoding_aes_key": "消息加解密Key",
}

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


def run_reconcile(dry_run):
    counts = invoke("ReconcileFunctionName", {"dry_run": dry_run})
    print(", ".join(f"{name}: {str(count).lower()}" for name, count in counts.items()), flush=True)
    return counts


def reconcile(arguments):
    """Compares the table with WeChat's list and accounts, and restores and corrects. Takes up to 15 minutes."""
    run_reconcile(arguments.dry_run)


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
        if stored.pop("previous_encoding_aes_key", None) is None:
            sys.exit("There is no previous key.")
        put_secret(arn, stored)
        print("The previous key is gone.")
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
    key_replaced = "encoding_aes_key" in changed and stored["encoding_aes_key"] != PLACEHOLDER
    under_way = stored.get("previous_encoding_aes_key")
    # Two keys are tried, and the one that the console has must stay one of them.
    if key_replaced and under_way not in (None, values["encoding_aes_key"]) and not arguments.correct:
        sys.exit(
            "Not put: a change of 消息加解密Key is under way. If WeChat's console has the newer key already, first:\n"
            "  just rotate-secret --finish\nIf it still has the older one: just rotate-secret --correct"
        )
    if key_replaced and not (under_way and arguments.correct):
        stored["previous_encoding_aes_key"] = stored["encoding_aes_key"]
    put_secret(arn, {**stored, **values})
    print(f"Put: {', '.join(FIELDS[name] for name in FIELDS if name in changed)}.")
    if key_replaced:
        print("Pushes are read with both keys. Wait 5 minutes, then change 消息加解密Key in WeChat's console.")
        print("After a day: just rotate-secret --finish")
    if stored["token"] == PLACEHOLDER:
        print("WeChat's next ticket arrives within ten minutes: just logs events. Then: just doctor")
        return
    if "token" in changed:
        print("消息校验Token: save it in WeChat's console now; pushes in between may be refused. Then: just reconcile")
    print("Functions know it within 5 minutes. Then: just doctor")


def put_secret(arn, secret):
    # Through a pipe, so that it is neither on the command line nor in a file.
    put = ("secretsmanager", "put-secret-value", "--secret-id", arn, "--secret-string", "file:///dev/stdin")
    aws(*put, stdin=json.dumps(secret))


def main():
    parser = argparse.ArgumentParser(prog="stack.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name, action):
        added = commands.add_parser(name, help=action.__doc__, description=action.__doc__)
        added.set_defaults(action=action)
        return added

    command("doctor", doctor)
    command("reconcile", reconcile).add_argument("--dry-run", action="store_true", help="report without writing")
    command("import", import_accounts).add_argument("--yes", action="store_true", help="do not ask")
    rotating = command("rotate-secret", rotate_secret)
    rotating.add_argument("file", nargs="?", help="JSON with any of the fields; else they are asked for")
    rotating.add_argument("--correct", action="store_true", help="replace a new key that the console does not have yet")
    rotating.add_argument("--finish", action="store_true", help="take the previous 消息加解密Key out")
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
