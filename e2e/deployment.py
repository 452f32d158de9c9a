#!/usr/bin/env python3
"""The proof by deployment. What `sam build` left goes to an emulator of AWS with `sam deploy`, a merchant is walked
through the deployed functions against the simulated WeChat, every function is run, and the stack is updated and
deleted.

The emulator is ministack, which runs each function as a process of this machine, with the policies of its role. Where
it differs from AWS, a comment that begins with "On AWS" says so. Besides those places it encrypts nothing, so that no
permission on the key is needed, has no certificate, throttles nothing, and delivers neither failed runs to the queue
nor changes to the bus.
"""

import hashlib
import html
import json
import re
import signal
import sys
import time
import urllib.parse

import boto3
from botocore.exceptions import ClientError

# The tree stays clean.
sys.dont_write_bytecode = True
from emulator import ACCOUNT, STACK, Deployment, prepare, with_stack
from programs import COMPONENT_APPID, Failure, expect, fact, free_port, main, request, until

KEY = {"authorizer_appid": ACCOUNT, "component_appid": COMPONENT_APPID}
SETS = ["1", "2", "15"]
STATE = "order-4711.proof"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Ten minutes: five times what it takes.
LIMIT = 600


def deploy(stack):
    stack.deploy()
    expect(stack.status == "CREATE_COMPLETE", "sam deploy creates the stack", stack.status)
    routes = stack.add_routes()
    expected = ["GET /authorize", "GET /callback", "HEAD /authorize", "HEAD /callback", "POST /events"]
    expect(routes == expected, f"its API routes {', '.join(routes)}")
    stack.finish_tables()
    stack.start_wechat()


def come_to_life(stack):
    """From a fresh stack to a platform that is ready."""
    answer = stack.api("GET", "/authorize")
    expect(answer.status == 503 and "retry-after" in answer.headers,
           "before the secret and a ticket, the launch page says that the platform is not ready", answer.status)
    stack.wechat.wait_for(r"^wechat +pushed component_verify_ticket (?!200)")
    expect(stack.platform_item("ticket#") is None, "a push is refused while the secret is the template's placeholder")
    stack.put_secret()
    stack.push_ticket()
    fact("the secret is put, and a ticket that WeChat pushes is in the Platform table")


def launch(stack):
    """The merchant presses the launch page's button; the address of WeChat's page that it leads to."""
    answer = stack.api("GET", f"/authorize?state={STATE}")
    expect(answer.status == 200, "the launch page answers 200", answer.status)
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', answer.body)]
    link = next((link for link in links if link.startswith("https://mp.weixin.qq.com/")), "")
    link = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(link.query))
    stack.secrets.add(query.get("pre_auth_code", "preauthcode@@@"))
    domain = urllib.parse.urlsplit(stack.outputs["AuthorizeUrl"]).hostname
    expect(query.get("component_appid") == COMPONENT_APPID
           and query.get("pre_auth_code", "").startswith("preauthcode@@@")
           and query.get("redirect_uri") == f"https://{domain}/callback?state={STATE}",
           "its link to mp.weixin.qq.com names the platform, a pre_auth_code and the API's own redirect")
    return f"{link.path}?{link.query}", query


def consent(stack, page, query):
    """On AWS the link's host is WeChat's own; no parameter changes it. Here the same page of the simulated WeChat is
    opened instead. Returns the redirect."""
    origin = f"http://{stack.outputs['AuthorizationHost']}/"
    answer = request("GET", stack.wechat_address, page, {"Referer": origin})
    expect(answer.status == 200 and ACCOUNT in answer.body, "WeChat takes the link and asks for consent")
    fields = [*query.items(), ("account", ACCOUNT), *(("set", number) for number in SETS)]
    answer = request("POST", stack.wechat_address, page.split("?")[0],
                     {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(fields))
    redirect = urllib.parse.urlsplit(answer.headers.get("location", ""))
    code = dict(urllib.parse.parse_qsl(redirect.query)).get("auth_code")
    expect(answer.status == 302 and code, "the merchant agrees, and WeChat redirects with a code", answer.status)
    stack.secrets.add(code)
    # On AWS the browser goes to https; the emulator's API has no certificate, and only its port.
    return f"{redirect.path}?{redirect.query}", code


def authorize(stack):
    page, query = launch(stack)
    redirect, code = consent(stack, page, query)

    def confirmed():
        # 202 while the push of the same code is being worked on; the page loads itself again.
        answer = stack.api("GET", redirect)
        if answer.status not in (200, 202):
            raise Failure(f"the redirect answers {answer.status}")
        return answer if answer.status == 200 else None
    first = until("the redirect is confirmed", confirmed, seconds=30, every=1)
    expect("授权成功" in first.body and ACCOUNT in first.body, "the redirect answers with the confirmation page")

    record = stack.record()
    expect(record is not None and record["status"] == "authorized" and record["component_appid"] == COMPONENT_APPID
           and record.get("authorizer_access_token") and record.get("authorizer_refresh_token"),
           "the record has both tokens")
    left = int(record["access_token_expires_at"]) - time.time()
    expect(7000 < left <= 7200, "its access token is good for two hours", left)
    expect(record["state"] == STATE, "it has the state of the launch")
    expect(sorted(map(int, record["permission_set_ids"])) == sorted(map(int, SETS)), "it has the permission sets")
    digest = hashlib.sha256(code.encode()).hexdigest()
    claim = stack.platform_item(f"code#{COMPONENT_APPID}#{digest}")
    expect(claim is not None and claim["status"] == "done" and claim["authorizer_appid"] == ACCOUNT,
           "the claim on the code is done")

    stack.wechat.wait_for(r"^wechat +pushed authorized 200 ")
    again = stack.api("GET", redirect)
    # Only the support id is another: it is the invocation's.
    same = re.sub(UUID, "", again.body) == re.sub(UUID, "", first.body)
    expect(again.status == 200 and same, "loaded again, the page is the same", again.status)
    expect(stack.calls("api_query_auth") == 1, "redirect, push and reload came to one api_query_auth",
           stack.calls("api_query_auth"))


def measure(stack):
    """The Embedded Metric Format: CloudWatch makes metrics of such lines."""
    found = [line for line in stack.log("CallbackLogs") if '"_aws"' in line and '"CloudWatchMetrics"' in line]
    expect(found and all(re.search(rf'"request_id":"{UUID}"', line) for line in found),
           "the callback's log has metrics in the Embedded Metric Format, with the request id of the visit")


def give_tokens(stack):
    """As a service asks for them."""
    record = stack.record()
    answer = stack.invoke("TokenFunction", {"authorizer_appid": ACCOUNT})
    names = {"authorizer_appid", "component_appid", "authorizer_access_token", "access_token_expires_at",
             "permission_set_ids"}
    expect(set(answer) == names and record["authorizer_refresh_token"] not in json.dumps(answer),
           "token answers without the refresh token", sorted(answer))
    expect(answer["authorizer_access_token"] == record["authorizer_access_token"], "it is the record's token")
    stack.press("stale", account=ACCOUNT)
    refused = answer["authorizer_access_token"]
    answer = stack.invoke("TokenFunction", {"authorizer_appid": ACCOUNT, "rejected_access_token": refused})
    stack.secrets.add(answer["authorizer_access_token"])
    call = "/cgi-bin/user/get?" + urllib.parse.urlencode({"access_token": answer["authorizer_access_token"]})
    called = json.loads(request("GET", stack.wechat_address, call).body)
    expect(answer["authorizer_access_token"] != refused and called.get("total") == 0,
           "for a token that WeChat has refused it gives another, which WeChat accepts", called.get("errcode"))


def denied(call):
    """Whether AWS refuses the call."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return False


def keep_services_apart(stack):
    """A service that has the policies which the stack gives away, and nothing else."""
    iam, user = stack.client("iam"), "service"
    iam.create_user(UserName=user)
    for policy in ("ReadAccessTokensPolicyArn", "InvokeTokenPolicyArn"):
        iam.attach_user_policy(UserName=user, PolicyArn=stack.outputs[policy])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    table = stack.table("AuthorizersTableName", **credentials)
    item = table.get_item(Key=KEY, ProjectionExpression="authorizer_access_token")["Item"]
    expect(item["authorizer_access_token"] == stack.record()["authorizer_access_token"],
           "a service with the stack's policies reads the access token")
    expect(denied(lambda: table.get_item(Key=KEY))
           and denied(lambda: table.get_item(Key=KEY, ProjectionExpression="authorizer_refresh_token"))
           and denied(table.scan)
           and denied(lambda: stack.table("PlatformTableName", **credentials).scan()),
           "it can read neither refresh tokens nor whole records nor the Platform table")
    functions = boto3.client("lambda", endpoint_url=stack.endpoint, region_name="us-east-1", **credentials)
    event = json.dumps({"authorizer_appid": ACCOUNT}).encode()
    answer = functions.invoke(FunctionName=stack.outputs["TokenFunctionName"], Payload=event)
    expect("FunctionError" not in answer
           and denied(lambda: functions.invoke(FunctionName=stack.resources["ReconcileFunction"], Payload=b"{}")),
           "it can invoke token and nothing else")


def need_the_policy(stack):
    """That the functions' policies suffice is shown by all of this; that they are needed, by taking one away."""
    iam = stack.client("iam")
    token = stack.client("lambda").get_function_configuration(FunctionName=stack.resources["TokenFunction"])
    role = token["Role"].split("/")[-1]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    for name in names:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        stack.invoke("TokenFunction", {"authorizer_appid": ACCOUNT})
        error = "none"
    except Failure as failure:
        error = str(failure)
    for name, document in documents.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    expect(names and "TemporarilyUnavailable" in error, "without the policies of its role, token reads nothing", error)
    stack.invoke("TokenFunction", {"authorizer_appid": ACCOUNT})


def refresh(stack):
    counts = {"refreshed", "failed", "revoked", "pending_finished", "remaining"}

    def refreshed():
        before = stack.record()
        stack.table("AuthorizersTableName").update_item(
            Key=KEY,
            UpdateExpression="SET refresh_at = :past", ExpressionAttributeValues={":past": int(time.time()) - 60})
        answer = stack.invoke("RefreshFunction", {})
        if set(answer) != counts or answer["failed"]:
            raise Failure(f"refresh answers {answer}")
        # The schedule may have been faster this time.
        after = stack.record()
        changed = after["authorizer_access_token"] != before["authorizer_access_token"]
        return changed and answer["refreshed"] == 1 and after["authorizer_refresh_token"]
    until("refresh refreshes a token that is due", refreshed, seconds=30)
    fact("refresh counts one token that was due, and the record has another")


def reconcile(stack):
    counts = {"listed", "restored", "revoked", "unchanged", "failed", "complete"}
    lost = stack.record()
    stack.table("AuthorizersTableName").delete_item(Key=KEY)
    answer = stack.invoke("ReconcileFunction", {"dry_run": True})
    expect(set(answer) == counts and answer["restored"] == 1 and stack.record() is None,
           "reconcile finds a lost record, and with dry_run writes none", answer)
    answer = stack.invoke("ReconcileFunction", {"dry_run": False})
    record = stack.record()
    expect(answer["restored"] == 1 and answer["complete"] and record is not None
           and record["authorizer_refresh_token"] == lost["authorizer_refresh_token"]
           and record.get("authorizer_access_token"),
           "without, it restores the record and its refresh token from WeChat's list", answer)


def examine(stack, ready):
    """What doctor says of the deployed stack."""
    answer = stack.invoke("DoctorFunction", {})
    wrong = {check["name"]: check for check in answer["checks"] if not check["ok"]}
    expect(len(answer["checks"]) > len(wrong) and answer["ok"] == (not wrong)
           and all(check["detail"] for check in answer["checks"]) and all(check["fix"] for check in wrong.values()),
           f"doctor checks {len(answer['checks'])} things, and says how to fix each that is wrong")
    # On AWS the API has a certificate. Here doctor is right: WeChat would not take these addresses.
    not_https = {"launch_page", "callback", "events_url"}
    shown = [f"{check['name']}: {check['detail']}" for check in wrong.values() if check["name"] not in not_https]
    if ready:
        expect(set(wrong) <= not_https, "it finds nothing wrong but that the emulator's addresses are not https", shown)
    else:
        expect({"secret", "ticket"} <= set(wrong), "before the secret is put, it misses the secret and a ticket", shown)


def operate(stack):
    """What an operator does, by the recipes."""
    said = stack.just("doctor", status=1)
    expect("✓ component_token: " in said and "✗ launch_page: " in said and "    → " in said,
           "just doctor prints each check, and a fix beside each that is not well")
    stack.table("AuthorizersTableName").delete_item(Key=KEY)
    expect("restored: 1" in stack.just("reconcile", "--dry-run") and stack.record() is None,
           "just reconcile --dry-run counts a lost record, and writes none")
    expect("is in the table" in stack.just("import", "--yes") and stack.record() is not None,
           "just import goes on until WeChat's whole list is in the table")
    expect("run finished" in stack.just("logs", "reconcile", "--start-time", "10min ago"), "just logs prints a function's log")

    before = stack.secret()
    stack.rotate_secret({"encoding_aes_key": "n" * 43})
    expect(stack.secret() == {**before, "encoding_aes_key": "n" * 43,
                              "previous_encoding_aes_key": before["encoding_aes_key"]},
           "just rotate-secret puts a key, and keeps the one before beside it")
    stack.rotate_secret({"encoding_aes_key": "m" * 43}, status=1)
    stack.rotate_secret({"encoding_aes_key": "m" * 43}, "--correct")
    expect(stack.secret() == {**before, "encoding_aes_key": "m" * 43,
                              "previous_encoding_aes_key": before["encoding_aes_key"]},
           "a mistyped key is replaced with --correct only, and the console's stays")
    stack.rotate_secret({"encoding_aes_key": before["encoding_aes_key"]})
    stack.just("rotate-secret", "--finish")
    expect(stack.secret() == before, "just rotate-secret --finish takes the previous key out")


def run_by_schedule(stack):
    """Every minute: a run more than were invoked here."""
    def runs():
        return len([line for line in stack.log("RefreshLogs") if "run finished" in line])
    until("the schedule runs refresh", lambda: runs() > stack.invocations["RefreshFunction"], seconds=90, every=1)
    fact("the schedule runs refresh")


def keep_secrets(stack):
    log = "\n".join(line for group in stack.log_groups() for line in stack.log(group))
    stack.items("PlatformTableName")
    expect("grant stored" in log and "run finished" in log, "the functions' logs are in the groups of the template")
    log += stack.emulator.printed() + stack.wechat.printed()
    expect(stack.mask(log) == log, f"none of {len(stack.secrets)} codes, tokens, tickets and secrets is in a log")


def revoke(stack):
    stack.press("revoke", account=ACCOUNT)
    record = stack.record()
    tokens = {"authorizer_access_token", "authorizer_refresh_token"}
    expect(record["status"] == "unauthorized" and not tokens & set(record),
           "the merchant revokes, and the push takes the tokens out of the record", record["status"])


def update(stack):
    before = dict(stack.resources)
    stack.deploy(RequireState="true")
    expect(stack.status == "UPDATE_COMPLETE", "sam deploy updates the stack with another parameter", stack.status)
    lasting = ["AuthorizersTable", "PlatformTable", "ComponentSecret", "TablesKey", "Api", "CallbackFunction"]
    expect(all(stack.resources[name] == before[name] for name in lasting), f"it keeps {', '.join(lasting)}")
    answer = stack.api("GET", "/callback?auth_code=queryauthcode%40%40%40unknown&expires_in=3600")
    expect(answer.status == 403, "RequireState=true holds: a redirect without a state is refused", answer.status)
    expect(stack.record() is not None, "the record is still there")


def delete(stack):
    stack.sam("delete", "--no-prompts", "--stack-name", STACK, "--region", "us-east-1")
    try:
        stacks = stack.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except ClientError:
        stacks = []
    expect(all(found["StackStatus"] == "DELETE_COMPLETE" for found in stacks), "sam delete deletes the stack")
    functions = stack.client("lambda").list_functions()["Functions"]
    expect(not [f for f in functions if f["FunctionName"].startswith(STACK)], "its functions are gone")
    for table in ("AuthorizersTableName", "PlatformTableName"):
        found = stack.client("dynamodb").describe_table(TableName=stack.outputs[table])["Table"]
        expect(found["TableStatus"] == "ACTIVE" and found["DeletionProtectionEnabled"] and stack.items(table),
               f"{table.removesuffix('Name')} is retained, protected, and has its items")
    key = stack.client("kms").describe_key(KeyId=stack.outputs["TablesKeyArn"])["KeyMetadata"]
    expect(key["KeyState"] == "Enabled", "the key is retained", key["KeyState"])
    expect("component_appsecret" in stack.secret() and "replace-me" not in stack.secret().values(),
           "the secret is retained as it was put")


def prove():
    """All of it, on ports that nobody uses."""
    prepare()

    def give_up(*_):
        raise Failure(f"not done after {LIMIT} s")
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT)
    port = free_port(4)
    with_stack(Deployment(port, port + 1), [
        deploy, lambda stack: examine(stack, ready=False), come_to_life, authorize, measure,
        give_tokens, keep_services_apart, need_the_policy, refresh, reconcile,
        lambda stack: examine(stack, ready=True),
        operate, revoke, run_by_schedule, keep_secrets, update, delete,
    ])


if __name__ == "__main__":
    main(prove)
