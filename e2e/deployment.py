#!/usr/bin/env python3
"""The proof by deployment. What `sam build` left goes to an emulator of AWS with `sam deploy`, a merchant is walked
through the deployed functions against the simulated WeChat, every function is run, and the stack is updated and
deleted.

The emulator is ministack, which runs each function as a process of this machine, with the policies of its role. Where
it differs from AWS, a comment that begins with "On AWS" says so. Besides those places it encrypts nothing, so that no
permission on the key is needed, has no certificate, throttles nothing, and delivers neither failed runs to the queue
nor changes to the bus. It has no CodeDeploy, and SAM's transformation gets no parameters there: what TrafficShift does is
not shown.
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
# What a service gives to a launch, and what a visitor writes into a link.
CUSTOMER = "customer-4711.proof"
STATE = "order-4711.proof"
# Another of the sandbox's accounts.
VISITOR_ACCOUNT = "wx5a4db0c0ffee0001"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Ten minutes: five times what it takes.
LIMIT = 600


def deploy(stack):
    stack.deploy()
    expect(stack.status == "CREATE_COMPLETE", "just deploy creates the stack", stack.status)
    expect(not stack.rolls_back, "had it failed, what it had made would have stayed")
    routes = stack.routes()
    digits = stack.stack_id.split("/")[-1].replace("-", "")
    pushes, messages = f"/events/{digits}", f"/messages/{digits}/"
    expected = ["GET /authorize", "GET /callback", "HEAD /authorize", "HEAD /callback", f"POST {pushes}",
                f"POST {messages}{{appid}}"]
    expect(routes == expected, f"its API routes {', '.join(routes)}")
    expect(stack.outputs["EventsUrl"].endswith(pushes) and stack.api("POST", "/events").status == 404,
           "WeChat is told a path with the digits of the stack's id, and without them there is no route")
    expect(stack.outputs["MessagesUrl"].endswith(f"{messages}$APPID$")
           and stack.api("POST", "/messages/wx1").status == 404, "and so for the messages of the accounts' users")
    live = stack.live()
    integrations = stack.client("apigatewayv2").get_integrations(ApiId=stack.resources["Api"])["Items"]
    called = sorted(integration["IntegrationUri"].split(":function:")[1] for integration in integrations)
    wanted = sorted(f"{stack.resources[f'{name}Function']}:live/invocations" for name in ("Visits", "Events", "Messages"))
    expect(len(live) == 9 and called == wanted, "its API calls the alias live of each function, and each function has one", called)
    outputs = [output for output in stack.outputs if output.endswith("FunctionName")]
    expect(len(outputs) == 5 and all(stack.outputs[output].endswith(":live") for output in outputs),
           "so do the names that services and operators are told")
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=STACK)
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    expect(len(alarms) > 40 and any(alarm["AlarmName"] == f"{STACK}-TicketAlarm" for alarm in alarms),
           "the nested stack has made the alarms", len(alarms))
    stack.finish_tables()
    stack.start_wechat()


def statuses(stack):
    """What docs/first-deployment.md has whoever deploys look at."""
    pushes = stack.outputs["EventsUrl"].split("/events/")[1]
    asked = (
        ("HEAD", "/authorize"), ("HEAD", "/callback"), ("GET", "/authorize"), ("GET", "/callback"),
        ("POST", f"/events/{pushes}"), ("POST", f"/messages/{pushes}/wx0000000000000000"), ("POST", "/events"),
    )
    return [stack.api(method, path).status for method, path in asked]


def come_to_life(stack):
    """From a fresh stack to a platform that is ready."""
    answered = statuses(stack)
    expect(answered == [200, 200, 503, 400, 500, 500, 404], "the routes answer as the first deployment's page says", answered)
    answer = stack.api("GET", "/authorize")
    expect(answer.status == 503 and "retry-after" in answer.headers,
           "before the secret and a ticket, the launch page says that the platform is not ready", answer.status)
    stack.wechat.wait_for(r"^wechat +pushed component_verify_ticket (?!200)")
    expect(stack.platform_item("ticket#") is None, "a push is refused while the secret is the template's placeholder")
    stack.put_secret()
    answered = statuses(stack)
    expect(answered[4:] == [400, 400, 404], "with the secret, a push and a message without a signature are refused", answered)
    stack.push_ticket()
    fact("the secret is put, and a ticket that WeChat pushes is in the Platform table")


class Browser:
    """Keeps cookies as a browser does. On AWS the `__Host-` cookies need https; here they are only checked for it."""

    def __init__(self, stack):
        self.stack = stack
        self.cookies = {}

    def get(self, path):
        # On AWS API Gateway hands cookies over in a list of their own; lambda_http makes one header of both.
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = self.stack.api("GET", path, **headers if self.cookies else {})
        if cookie := answer.headers.get("set-cookie"):
            pair, *attributes = cookie.split("; ")
            name, value = pair.split("=", 1)
            closed = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
            if not name.startswith("__Host-") or not closed <= set(attributes):
                raise Failure(f"the cookie {name} is open to others: {', '.join(attributes)}")
            self.cookies[name] = value
            self.stack.secrets.add(value)
        return answer


def begin_launch(stack):
    """As a service of the platform does, for a customer that is logged in."""
    answer = stack.invoke("LaunchFunction", {"state": CUSTOMER, "category_id_list": [int(number) for number in SETS]})
    names = {"launch_id", "launch_url", "pre_auth_code", "pc_url", "mobile_url", "expires_at"}
    expect(set(answer) == names, "a service begins a launch", sorted(answer))
    stack.secrets.update([answer["launch_id"], answer["pre_auth_code"]])
    expect(answer["launch_url"] == f"{stack.outputs['AuthorizeUrl']}?launch={answer['launch_id']}",
           "its launch_url is the stack's launch page with its id")
    left = answer["expires_at"] - time.time()
    expect(7000 < left <= 7200, "it is open for two hours", left)
    item = stack.platform_item(f"launch#{COMPONENT_APPID}#{sha256(answer['launch_id'])}")
    expect(item is not None and item["made_by"] == "service" and item["state"] == CUSTOMER
           and answer["launch_id"] not in json.dumps(item, default=str),
           "the Platform table has it under the digest of its id, and not the id")
    expect(ask(stack, answer["launch_id"])["status"] == "open", "asked about, it is open")
    return answer["launch_id"]


def ask(stack, launch_id):
    """What became of a launch."""
    answer = stack.invoke("LaunchFunction", {"launch_id": launch_id})
    names = {"status", "authorizer_appid", "component_appid", "state", "bound", "permission_set_ids"}
    if set(answer) != names:
        raise Failure(f"launch tells {sorted(answer)}")
    return answer


def refused(stack, event):
    """The errorType with which launch refuses."""
    try:
        stack.invoke("LaunchFunction", event)
    except Failure as failure:
        return str(failure)
    return "it was not refused"


def open_page(browser, path):
    """The visitor opens the launch page; the address of WeChat's page that its button leads to."""
    stack = browser.stack
    answer = browser.get(path)
    expect(answer.status == 200 and browser.cookies, "the launch page answers 200, with a cookie", answer.status)
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', answer.body)]
    link = next((link for link in links if link.startswith("https://mp.weixin.qq.com/")), "")
    link = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(link.query))
    stack.secrets.add(query.get("pre_auth_code", "preauthcode@@@"))
    domain = urllib.parse.urlsplit(stack.outputs["AuthorizeUrl"]).hostname
    callback, _, launch_id = query.get("redirect_uri", "").partition("?launch=")
    expect(query.get("component_appid") == COMPONENT_APPID
           and query.get("pre_auth_code", "").startswith("preauthcode@@@")
           and callback == f"https://{domain}/callback" and re.fullmatch(r"[0-9a-f]{32}", launch_id),
           "its link to mp.weixin.qq.com names the platform, a pre_auth_code and the API's own redirect with a launch")
    stack.secrets.add(launch_id)
    return f"{link.path}?{link.query}", query, launch_id


def consent(stack, page, query, account):
    """On AWS the link's host is WeChat's own; no parameter changes it. Here the same page of the simulated WeChat is
    opened instead. Returns the redirect."""
    origin = f"http://{stack.outputs['AuthorizationHost']}/"
    answer = request("GET", stack.wechat_address, page, {"Referer": origin})
    expect(answer.status == 200 and account in answer.body, "WeChat takes the link and asks for consent")
    fields = [*query.items(), ("account", account), *(("set", number) for number in SETS)]
    answer = request("POST", stack.wechat_address, page.split("?")[0],
                     {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(fields))
    redirect = urllib.parse.urlsplit(answer.headers.get("location", ""))
    code = dict(urllib.parse.parse_qsl(redirect.query)).get("auth_code")
    expect(answer.status == 302 and code, "the merchant agrees, and WeChat redirects with a code", answer.status)
    stack.secrets.add(code)
    # On AWS the browser goes to https; the emulator's API has no certificate, and only its port.
    return f"{redirect.path}?{redirect.query}", code


def come_back(browser, redirect, launch_id):
    """The browser follows the redirect with the code, and the one to the page without."""
    def confirmed():
        # 202 while the push of the same code is being worked on; the page loads itself again.
        answer = browser.get(redirect)
        if answer.status not in (202, 303):
            raise Failure(f"the redirect answers {answer.status}")
        return answer if answer.status == 303 else None
    answer = until("the redirect is confirmed", confirmed, seconds=30, every=1)
    page = urllib.parse.urlsplit(urllib.parse.urljoin("/callback", answer.headers.get("location", "")))
    expect((page.path, page.query) == ("/callback", f"launch={launch_id}") and not answer.body,
           "the redirect answers 303 to an address with the launch and without the code")
    return f"{page.path}?{page.query}"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def authorize(stack):
    """A customer of the platform, sent by a service."""
    launch_id = begin_launch(stack)
    browser = Browser(stack)
    page, query, named = open_page(browser, f"/authorize?launch={launch_id}")
    expect(named == launch_id, "the launch page opens the service's launch")
    redirect, code = consent(stack, page, query, ACCOUNT)
    address = come_back(browser, redirect, launch_id)
    first = browser.get(address)
    expect(first.status == 200 and "授权成功" in first.body and ACCOUNT in first.body,
           "there the browser that brought the code reads the confirmation, with its account", first.status)
    other = Browser(stack).get(address)
    expect(other.status == 200 and "授权成功" in other.body and ACCOUNT not in other.body,
           "another browser reads there that the authorization is complete, and no account", other.status)

    record = stack.record()
    expect(record is not None and record["status"] == "authorized" and record["component_appid"] == COMPONENT_APPID
           and record.get("authorizer_access_token") and record.get("authorizer_refresh_token"),
           "the record has both tokens")
    left = int(record["access_token_expires_at"]) - time.time()
    expect(7000 < left <= 7200, "its access token is good for two hours", left)
    expect(record["state"] == CUSTOMER and record["bound"] == "browser" and "unverified_state" not in record,
           "it has the state that the service gave, bound by the browser", record.get("bound"))
    expect(sorted(map(int, record["permission_set_ids"])) == sorted(map(int, SETS)), "it has the permission sets")
    claim = stack.platform_item(f"code#{COMPONENT_APPID}#{sha256(code)}")
    expect(claim is not None and claim["status"] == "done" and claim["authorizer_appid"] == ACCOUNT,
           "the claim on the code is done")
    outcome = ask(stack, launch_id)
    expect({**outcome, "permission_set_ids": sorted(outcome["permission_set_ids"] or [])} == {
        "status": "authorized", "authorizer_appid": ACCOUNT, "component_appid": COMPONENT_APPID,
        "state": CUSTOMER, "bound": "browser", "permission_set_ids": sorted(map(int, SETS))},
        "asked about, the launch tells the service the account, its state and its permission sets", outcome)

    stack.wechat.wait_for(r"^wechat +pushed authorized 200 ")
    expect(browser.get(come_back(browser, redirect, launch_id)).body == first.body, "loaded again, it leads to the same page")
    expect(browser.get(f"/authorize?launch={launch_id}").status == 303, "a launch that has ended leads to its page")
    expect(stack.calls("api_query_auth") == 1, "redirect, push and reload came to one api_query_auth",
           stack.calls("api_query_auth"))
    expect("LaunchNotFound" in refused(stack, {"launch_id": "0" * 32})
           and "InvalidRequest" in refused(stack, {"launch_id": "a/b"})
           and "InvalidRequest" in refused(stack, {"state": "not a state"})
           and "InvalidRequest" in refused(stack, {"return_url": "https://shop.example/done"}),
           "launch refuses ids that nobody has, and what it is not told to accept")


def authorize_as_visitor(stack):
    """Somebody with a link that no service vouches for."""
    asked = stack.calls("api_query_auth")
    browser = Browser(stack)
    page, query, launch_id = open_page(browser, f"/authorize?state={STATE}")
    redirect, _ = consent(stack, page, query, VISITOR_ACCOUNT)
    seen = browser.get(come_back(browser, redirect, launch_id))
    expect(seen.status == 200 and VISITOR_ACCOUNT in seen.body, "a visitor reads the confirmation in his own browser")
    record = stack.record(VISITOR_ACCOUNT)
    expect(record is not None and record["unverified_state"] == STATE and "state" not in record
           and "bound" not in record, "what a visitor's link says is in the record as unverified, and no state")
    expect("LaunchNotFound" in refused(stack, {"launch_id": launch_id}), "launch tells a service nothing of it")
    expect(stack.calls("api_query_auth") == asked + 1, "it came to one api_query_auth")
    # The push may have been first, and then the visit took none.
    made_up = stack.api("GET", "/callback?auth_code=queryauthcode%40%40%40nobody")
    expect(made_up.status == 400 and stack.platform_item(f"budget#{COMPONENT_APPID}") is not None,
           "a made-up code takes one of the exchanges that visitors share, and nothing else", made_up.status)


def measure(stack):
    """The Embedded Metric Format: CloudWatch makes metrics of such lines."""
    found = [line for line in stack.log("VisitsLogs") if '"_aws"' in line and '"CloudWatchMetrics"' in line]
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
    # A younger one is not replaced.
    time.sleep(max(0, int(record["refreshed_at"]) + 61 - time.time()))
    answer = stack.invoke("TokenFunction", {"authorizer_appid": ACCOUNT, "rejected_access_token": refused})
    stack.secrets.add(answer["authorizer_access_token"])
    call = "/cgi-bin/user/get?" + urllib.parse.urlencode({"access_token": answer["authorizer_access_token"]})
    called = json.loads(request("GET", stack.wechat_address, call).body)
    expect(answer["authorizer_access_token"] != refused and called.get("total") == 0,
           "for a token that WeChat has refused it gives another, which WeChat accepts", called.get("errcode"))


def share_the_identity(stack):
    """What the platform has once, and its other services need."""
    stored = stack.platform_item("component_token#")
    answer = stack.invoke("ComponentTokenFunction", {})
    stack.secrets.add(answer["component_access_token"])
    expect(answer == {"component_appid": COMPONENT_APPID, "component_access_token": stored["component_access_token"],
                      "component_access_token_expires_at": int(stored["access_token_expires_at"])},
           "component_token gives the stored component token", sorted(answer))
    answer = stack.invoke("ComponentTokenFunction", {"rejected_component_access_token": "not the stored one"})
    expect(answer["component_access_token"] == stored["component_access_token"],
           "a rejected token that is not the stored one makes no other")
    stack.press("release-check")
    checked = stack.wechat.wait_for(r"^wechat +全网发布检测 .*小程序：取消授权")
    lines = [line for line in stack.wechat.printed().splitlines() if "全网发布检测" in line]
    expect(checked and len(lines) == 9 and not any("未通过" in line for line in lines),
           "WeChat's release check passes, with all its items", lines)
    pushes = stack.items("PushesTableName")
    expect({push["detail_type"] for push in pushes} == {"message.text", "message.event"}
           and not any("@@@" in push["fields"] for push in pushes),
           "its messages wait to be published, without the code", sorted({push["detail_type"] for push in pushes}))


def denied(call):
    """Whether AWS refuses the call."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return False


def keep_services_apart(stack):
    """Services that have the policies which the stack gives away, and nothing else."""
    credentials = user_with(stack, "service", "ReadAccessTokensPolicyArn", "InvokeTokenPolicyArn")
    table = stack.table("AuthorizersTableName", **credentials)
    item = table.get_item(Key=KEY, ProjectionExpression="authorizer_access_token")["Item"]
    expect(item["authorizer_access_token"] == stack.record()["authorizer_access_token"],
           "a service with the policies for tokens reads the access token")
    read = table.get_item(Key=KEY, ProjectionExpression="#state, unverified_state, bound",
                          ExpressionAttributeNames={"#state": "state"})["Item"]
    expect(read == {"state": CUSTOMER, "bound": "browser"}, "it reads whose account it is, and how that is known", read)
    expect(denied(lambda: table.get_item(Key=KEY))
           and denied(lambda: table.get_item(Key=KEY, ProjectionExpression="authorizer_refresh_token"))
           and denied(table.scan)
           and denied(lambda: stack.table("PlatformTableName", **credentials).scan()),
           "it can read neither refresh tokens nor whole records nor the Platform table, where the launches are")
    token = {"authorizer_appid": ACCOUNT}
    expect(can_invoke(stack, credentials, "TokenFunction", token)
           and not can_invoke(stack, credentials, "LaunchFunction", {})
           and not can_invoke(stack, credentials, "ComponentTokenFunction", {})
           and not can_invoke(stack, credentials, "ReconcileFunction", {}),
           "it can invoke token and nothing else: it cannot begin a launch, and gets no component token")
    expect(not can_invoke(stack, credentials, "TokenFunction", token, alias=""), "it can invoke token by its alias only")

    credentials = user_with(stack, "login", "InvokeComponentTokenPolicyArn")
    expect(can_invoke(stack, credentials, "ComponentTokenFunction", {})
           and not can_invoke(stack, credentials, "TokenFunction", token)
           and denied(lambda: stack.table("PlatformTableName", **credentials).scan()),
           "a service with the policy for the component token can invoke component_token and nothing else")

    credentials = user_with(stack, "site", "InvokeLaunchPolicyArn")
    expect(can_invoke(stack, credentials, "LaunchFunction", {})
           and not can_invoke(stack, credentials, "TokenFunction", token)
           and not can_invoke(stack, credentials, "ReconcileFunction", {}),
           "a service with the policy for launches can invoke launch and nothing else")
    table = stack.table("AuthorizersTableName", **credentials)
    expect(denied(lambda: table.get_item(Key=KEY, ProjectionExpression="authorizer_access_token")),
           "it cannot read access tokens")


def user_with(stack, user, *policies):
    """The credentials of somebody with these policies of the stack."""
    iam = stack.client("iam")
    iam.create_user(UserName=user)
    for policy in policies:
        iam.attach_user_policy(UserName=user, PolicyArn=stack.outputs[policy])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def can_invoke(stack, credentials, function, event, alias=":live"):
    """Whether these credentials may invoke a function. What it answers must be no error."""
    functions = boto3.client("lambda", endpoint_url=stack.endpoint, region_name="us-east-1", **credentials)
    try:
        answer = functions.invoke(FunctionName=stack.resources[function] + alias, Payload=json.dumps(event).encode())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            return False
        raise
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise Failure(f"{function} ended with {payload.get('errorType')}: {payload.get('errorMessage')}")
    stack.secrets.update(payload[name] for name in ("launch_id", "pre_auth_code") if name in payload)
    return True


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
    counts = {"listed", "restored", "corrected", "revoked", "unchanged", "failed", "complete"}
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
    not_https = {"launch_page", "callback", "events_url", "messages_url"}
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

    said = stack.just("console")
    expect(stack.outputs["EventsUrl"] in said and stack.outputs["AuthorizationHost"] in said,
           "just console says what goes into WeChat's console")

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
    stack.rotate_secret({"encoding_aes_key": before["encoding_aes_key"], "token": "t" * 32})
    expect(stack.secret()["previous_token"] == before["token"], "a token, too, stays beside the one that replaces it")
    stack.rotate_secret({"token": before["token"]})
    stack.just("rotate-secret", "--finish")
    expect(stack.secret() == before, "just rotate-secret --finish takes out what was there before")


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
    before, versions = dict(stack.resources), stack.live()
    stack.just("protect")
    policy = stack.client("cloudformation").get_stack_policy(StackName=STACK).get("StackPolicyBody", "")
    expect("LogicalResourceId/AuthorizersTable" in policy, "just protect sets a stack policy that names the tables")
    stack.deploy(RequireLaunch="true", ReturnUrlPrefix="https://shop.example/wechat/")
    expect(stack.status == "UPDATE_COMPLETE" and stack.rolls_back, "just deploy updates the stack with other parameters",
           stack.status)
    live = stack.live()
    expect(all(live[name] > version for name, version in versions.items()),
           "the alias of each function leads to a newer version", live)
    kept = {name: stack.client("lambda").list_versions_by_function(FunctionName=stack.resources[name])["Versions"]
            for name in live}
    expect(all([version["Version"] for version in found] == ["$LATEST", str(live[name])] for name, found in kept.items()),
           "and the version before is gone")
    lasting = ["AuthorizersTable", "PlatformTable", "ComponentSecret", "TablesKey", "Api", "VisitsFunction"]
    expect(all(stack.resources[name] == before[name] for name in lasting), f"it keeps {', '.join(lasting)}")
    answer = stack.api("GET", "/callback?auth_code=queryauthcode%40%40%40unknown&expires_in=3600")
    expect(answer.status == 403, "RequireLaunch=true holds: a redirect without a launch is refused", answer.status)
    answer = stack.api("GET", f"/authorize?state={STATE}")
    expect(answer.status == 403, "a visitor begins no launch of his own", answer.status)
    begun = stack.invoke("LaunchFunction", {"state": CUSTOMER, "return_url": "https://shop.example/wechat/done"})
    stack.secrets.update([begun["launch_id"], begun["pre_auth_code"]])
    answer = Browser(stack).get(f"/authorize?launch={begun['launch_id']}")
    expect(answer.status == 200, "a service's launch opens", answer.status)
    expect("InvalidRequest" in refused(stack, {"return_url": "https://shop.example.evil.example/wechat/"})
           and "InvalidRequest" in refused(stack, {"return_url": "https://shop.example/wechatter"}),
           "its return_url is below ReturnUrlPrefix or refused")
    expect(stack.record() is not None, "the record is still there")


def delete(stack):
    # On AWS by sam delete, which knows the nested templates by S3's own address and not by the emulator's.
    cloudformation = stack.client("cloudformation")
    cloudformation.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 2, "MaxAttempts": 30})
    try:
        stacks = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    except ClientError:
        stacks = []
    expect(all(found["StackStatus"] == "DELETE_COMPLETE" for found in stacks), "the stack is deleted")
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=STACK)
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    expect(not alarms, "its alarms are gone, with the stack that they were in")
    functions = stack.client("lambda").list_functions()["Functions"]
    expect(not [f for f in functions if f["FunctionName"].startswith(STACK)], "its functions are gone")
    for table in ("AuthorizersTableName", "PlatformTableName"):
        found = stack.client("dynamodb").describe_table(TableName=stack.outputs[table])["Table"]
        expect(found["TableStatus"] == "ACTIVE" and found["DeletionProtectionEnabled"] and stack.items(table),
               f"{table.removesuffix('Name')} is retained, protected, and has its items")
    key = stack.client("kms").describe_key(KeyId=stack.outputs["TablesKeyArn"])["KeyMetadata"]
    expect(key["KeyState"] == "Enabled", "the key is retained", key["KeyState"])
    said = stack.just("leftovers", "--remove", "--yes")
    expect("kept, because of items in AuthorizersTable and PlatformTable" in said and stack.items("AuthorizersTableName"),
           "just leftovers removes nothing of a stack whose tables have items", said)
    expect("component_appsecret" in stack.secret() and "replace-me" not in stack.secret().values(),
           "the secret is retained as it was put")


def sweep(stack):
    """What a first deployment that failed leaves: empty tables, and a secret that nobody has put."""
    for output in ("AuthorizersTableName", "PlatformTableName"):
        table = stack.table(output)
        keys = [attribute["AttributeName"] for attribute in table.key_schema]
        for item in stack.items(output):
            table.delete_item(Key={name: item[name] for name in keys})
    placeholder = dict.fromkeys(("component_appsecret", "token", "encoding_aes_key"), "replace-me")
    stack.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["ComponentSecretArn"], SecretString=json.dumps(placeholder))
    said = stack.just("leftovers")
    tables = [stack.outputs["AuthorizersTableName"], stack.outputs["PlatformTableName"]]
    there = stack.client("dynamodb").list_tables()["TableNames"]
    expect(all(table in said and table in there for table in tables), "just leftovers lists empty tables, and removes none")
    stack.just("leftovers", "--remove", "--yes")
    there = stack.client("dynamodb").list_tables()["TableNames"]
    key = stack.client("kms").describe_key(KeyId=stack.outputs["TablesKeyArn"])["KeyMetadata"]
    expect(not set(tables) & set(there) and key["KeyState"] == "PendingDeletion",
           "with --remove they are gone, and the key is on its way", key["KeyState"])
    expect("Nothing is left" in stack.just("leftovers"), "then nothing is left")


def prove():
    """All of it, on ports that nobody uses."""
    prepare()

    def give_up(*_):
        raise Failure(f"not done after {LIMIT} s")
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT)
    port = free_port(4)
    with_stack(Deployment(port, port + 1), [
        deploy, lambda stack: examine(stack, ready=False), come_to_life, authorize, authorize_as_visitor, measure,
        give_tokens, share_the_identity, keep_services_apart, need_the_policy, refresh, reconcile,
        lambda stack: examine(stack, ready=True),
        operate, revoke, run_by_schedule, keep_secrets, update, delete, sweep,
    ])


if __name__ == "__main__":
    main(prove)
