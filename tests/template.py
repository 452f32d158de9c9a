"""What the template promises: least privilege, protected state, three public routes, a network that WeChat accepts,
one domain name everywhere, and alarms. Read from the template as it is deployed, after SAM's transformation.

    python tests/template.py [TEMPLATE]                   runs the checks, and shows for each that it can fail
    python tests/template.py --write DIRECTORY [TEMPLATE]   writes the transformed templates
    python tests/template.py --forms DIRECTORY [TEMPLATE]   writes what is deployed with each choice of parameters, and what
                                                            each role must and must not be allowed: for .ci/aws/check.mjs

Needs the Python that SAM is installed for. TEMPLATE is template.yaml, or what sam build made of it. The nested stacks are
read with it, and checked as if their resources stood in it.
"""

import copy
import ipaddress
import itertools
import json
import logging
import os
import re
import sys
import unittest
from pathlib import Path

# The tree stays clean.
sys.dont_write_bytecode = True
REGION = "us-east-1"
os.environ["AWS_DEFAULT_REGION"] = REGION

from loops import with_loops_written_out  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# It says of each function that it knows no toggle.
logging.getLogger("samtranslator.feature_toggle.feature_toggle").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parent.parent


class NoManagedPolicies:
    """SAM asks for AWS's own policies by name. There are none here."""

    def load(self):
        return {}


def parsed(path):
    return yaml_parse(Path(path).read_text(encoding="utf-8"))


def transformed(path, **parameters):
    """As CloudFormation has it. SAM looks at the parameters for one thing only: whether there is a shift of traffic."""
    template = parsed(path)
    # sam deploy uploads the code, which is not of interest here.
    template.get("Globals", {}).get("Function", {})["CodeUri"] = "s3://bucket/key"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    defaults = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    template = transform(template, {**defaults, **parameters}, NoManagedPolicies())
    # Kept beside the resource, in its place.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            file = Path(path).parent / resource["Properties"]["TemplateURL"]
            resource["Nested"] = with_loops_written_out(file)
    return template


def without_nested(resource):
    return {key: value for key, value in resource.items() if key != "Nested"}


def nested(template):
    """The templates of the nested stacks."""
    return {name: resource["Nested"] for name, resource in template["Resources"].items() if "Nested" in resource}


UUID = "51af3dc0-da77-11e4-872e-1234567db123"


class Stack:
    """The template with parameters: conditions decided, everything a string that CloudFormation knows beforehand.
    What it does not know stays as ${Resource} or ${Resource.Attribute}. The resources of nested stacks stand beside the
    template's own."""

    def __init__(self, region=REGION, name="wechat-authorizer", **parameters):
        china = region.startswith("cn-")
        self.template = TEMPLATE if parameters.get("TrafficShift", "AllAtOnce") == "AllAtOnce" else SHIFTING
        # No default: whoever deploys says it.
        parameters = {"Network": "none", **parameters}
        unknown = parameters.keys() - TEMPLATE["Parameters"].keys()
        assert not unknown, f"the template has no {unknown}"
        self.values = {
            "AWS::Region": region,
            "AWS::StackName": name,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:123456789012:stack/{name}/{UUID}",
            "AWS::AccountId": "123456789012",
            "AWS::Partition": "aws-cn" if china else "aws",
            "AWS::URLSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
            "ComponentAppid": "wx7c0de5a4db0c0001",
        }
        for parameter, definition in TEMPLATE["Parameters"].items():
            if "Default" in definition:
                self.values[parameter] = str(definition["Default"])
        self.values.update({key: str(value) for key, value in parameters.items()})
        self.refused = [
            assertion["AssertDescription"]
            for rule in TEMPLATE.get("Rules", {}).values()
            if self.resolve(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self.resolve(assertion["Assert"])
        ]
        self.nested = {
            name: NestedStack(self, resource)
            for name, resource in self.template["Resources"].items()
            if "Nested" in resource and self.condition(resource.get("Condition"))
        }
        self.read()
        for stack in self.nested.values():
            self.resources.update(stack.resources)

    def read(self):
        self.resources = {
            name: {**without_nested(resource), "Properties": self.resolve(resource.get("Properties", {}))}
            for name, resource in self.template["Resources"].items()
            if self.condition(resource.get("Condition"))
        }
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in self.template["Outputs"].items()
            if self.condition(output.get("Condition"))
        }

    def of(self, *types):
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] in types}

    def functions(self):
        return self.of("AWS::Lambda::Function")

    def condition(self, name):
        return name is None or self.resolve(self.template["Conditions"][name])

    def resolve(self, value):
        if isinstance(value, list):
            resolved = [self.resolve(element) for element in value]
            return [element for element in resolved if element is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            function = getattr(self, "fn_" + key.removeprefix("Fn::"), None)
            if (
                function
                and (key.startswith("Fn::") or key in ("Ref", "Condition"))
                and not (key == "Condition" and isinstance(argument, dict))
            ):
                return function(argument)
        resolved = {key: self.resolve(element) for key, element in value.items()}
        return {key: element for key, element in resolved.items() if element is not NOTHING}

    def fn_Ref(self, name):
        return NOTHING if name == "AWS::NoValue" else self.values.get(name, f"${{{name}}}")

    def fn_GetAtt(self, path):
        path = path if isinstance(path, str) else ".".join(path)
        if output := re.fullmatch(r"(\w+)\.Outputs\.(\w+)", path):
            return self.nested[output[1]].outputs[output[2]]
        return f"${{{path}}}"

    def fn_FindInMap(self, argument):
        name, *keys = self.resolve(argument[:3])
        default = next((element for element in argument[3:]), {}).get("DefaultValue")
        found = self.template["Mappings"][name]
        for key in keys:
            if key not in found:
                return default
            found = found[key]
        return found

    def fn_Sub(self, argument):
        text, extra = argument if isinstance(argument, list) else (argument, {})
        extra = {key: self.resolve(element) for key, element in extra.items()}

        def known(match):
            return str(extra.get(match[1], self.values.get(match[1], match[0])))

        return re.sub(r"\$\{([^!}]+)\}", known, text)

    def fn_If(self, argument):
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])

    def fn_Condition(self, name):
        return self.condition(name)

    def fn_Equals(self, argument):
        left, right = self.resolve(argument)
        return str(left) == str(right)

    def fn_Not(self, argument):
        return not self.resolve(argument[0])

    def fn_And(self, argument):
        return all(self.resolve(argument))

    def fn_Or(self, argument):
        return any(self.resolve(argument))

    def fn_Join(self, argument):
        separator, parts = self.resolve(argument)
        return separator.join(parts)

    def fn_Split(self, argument):
        separator, text = self.resolve(argument)
        return text.split(separator)

    def fn_Select(self, argument):
        index, choices = self.resolve(argument)
        # ${Api.ApiEndpoint} in parts: what follows the scheme is its host.
        return choices[int(index)] if int(index) < len(choices) else f"part {index} of {choices}"

    def fn_Cidr(self, argument):
        network, count, bits = self.resolve(argument)
        parts = ipaddress.ip_network(network).subnets(new_prefix=32 - int(bits))
        return [str(part) for part in itertools.islice(parts, int(count))]

    def policies(self):
        """Every policy document of the stack: where it is, and its statements."""
        for name, role in self.of("AWS::IAM::Role").items():
            yield f"{name}, trust", role["AssumeRolePolicyDocument"]["Statement"]
            for policy in role.get("Policies", []):
                yield name, policy["PolicyDocument"]["Statement"]
        for name, policy in self.of("AWS::IAM::ManagedPolicy").items():
            yield name, policy["PolicyDocument"]["Statement"]
        for name, policy in self.of(
            "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::EC2::VPCEndpoint"
        ).items():
            yield name, policy["PolicyDocument"]["Statement"]
        for name, key in self.of("AWS::KMS::Key").items():
            yield f"{name}, key policy", key["KeyPolicy"]["Statement"]

    def allowed(self, function):
        """What a function may do: resource to actions. The statement that says what its code may not is apart."""
        role = self.resources[re.fullmatch(r"\$\{(\w+)\.Arn\}", function["Role"])[1]]["Properties"]
        documents = [policy["PolicyDocument"] for policy in role["Policies"]]
        for managed in role["ManagedPolicyArns"]:
            documents.append(self.resources[managed[2:-1]]["Properties"]["PolicyDocument"])
        allowed = {}
        for statement in itertools.chain.from_iterable(document["Statement"] for document in documents):
            if statement["Effect"] == "Allow":
                for resource in listed(statement["Resource"]):
                    allowed.setdefault(resource, set()).update(listed(statement["Action"]))
        return allowed


class NestedStack(Stack):
    """A nested stack, with the parameters that the template gives it."""

    def __init__(self, parent, resource):
        self.template = resource["Nested"]
        self.nested = {}
        given = parent.resolve(resource["Properties"]["Parameters"])
        pseudo = {name: value for name, value in parent.values.items() if name.startswith("AWS::")}
        assert set(given) == set(self.template["Parameters"]), "a parameter is not given, or not known"
        # The name that CloudFormation makes up is nowhere to be shown.
        self.values = {**pseudo, "AWS::StackName": "a made up name", **given}
        self.read()


NOTHING = object()


def listed(value):
    return value if isinstance(value, list) else [value]


def strings(value, path=()):
    if isinstance(value, dict):
        for key, element in value.items():
            yield from strings(key, (*path, key))
            yield from strings(element, (*path, key))
    elif isinstance(value, list):
        for element in value:
            yield from strings(element, path)
    elif isinstance(value, str):
        yield path, value


EXISTING = {"Network": "existing", "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "SecurityGroupIds": "sg-0123456789abcdef0"}
CREATED = {"Network": "created"}
ZONE = {"DomainName": "auth.example.com", "HostedZoneId": "Z123"}
CERTIFICATE = {"DomainName": "auth.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
SHIFT = {"TrafficShift": "Canary10Percent5Minutes"}


def live(function):
    """The ARN of a function's alias."""
    return f"${{{function}.Arn}}:live"


def every_stack():
    for region in (REGION, "cn-north-1"):
        yield Stack(region=region, **SHIFT)
    for network, domain, region in itertools.product(
        ({}, EXISTING, CREATED), ({}, ZONE, CERTIFICATE), (REGION, "cn-north-1")
    ):
        yield Stack(region=region, AlarmEmail="a@example.com", **network, **domain)


RECORD = {"dynamodb:GetItem", "dynamodb:UpdateItem"}
DESCRIBE = {"dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"}
AUTHORIZERS, PLATFORM, FAILED = "${AuthorizersTable.Arn}", "${PlatformTable.Arn}", "${FailedRuns.Arn}"
DUE, PENDING, PUSHES = f"{AUTHORIZERS}/index/refresh-due", f"{PLATFORM}/index/pending", "${PushesTable.Arn}"
# Besides the log group and what all of them share.
PERMISSIONS = {
    "visits": {AUTHORIZERS: RECORD, PLATFORM: RECORD},
    "events": {AUTHORIZERS: RECORD, PLATFORM: RECORD, PUSHES: {"dynamodb:UpdateItem"}},
    "messages": {AUTHORIZERS: RECORD, PLATFORM: RECORD, PUSHES: {"dynamodb:UpdateItem"}},
    "refresh": {
        AUTHORIZERS: RECORD,
        DUE: {"dynamodb:Query"},
        PLATFORM: RECORD,
        PENDING: {"dynamodb:Query"},
        FAILED: {"sqs:SendMessage"},
    },
    "reconcile": {
        AUTHORIZERS: RECORD | {"dynamodb:BatchGetItem", "dynamodb:Scan"},
        PLATFORM: RECORD,
        FAILED: {"sqs:SendMessage"},
    },
    "launch": {AUTHORIZERS: {"dynamodb:GetItem"}, PLATFORM: RECORD},
    "token": {AUTHORIZERS: RECORD, PLATFORM: RECORD},
    "component_token": {PLATFORM: RECORD},
    "doctor": {AUTHORIZERS: DESCRIBE, PLATFORM: DESCRIBE | RECORD, PENDING: {"dynamodb:Query"}, PUSHES: DESCRIBE},
}
# Actions for which AWS has no resource, or Lambda takes no narrower one.
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# CloudWatch decides about all alarms where it is asked for several.
ALARMS = {"cloudwatch:DescribeAlarms"}
# What CodeDeploy shifts the traffic of, and the alarms besides those of its errors that take the shift back.
SHIFTED = {
    "VisitsFunction": ["FailuresAlarm"], "EventsFunction": ["FailuresAlarm"], "MessagesFunction": ["FailuresAlarm"],
    "LaunchFunction": [], "TokenFunction": [], "ComponentTokenFunction": [],
}


class Permissions(unittest.TestCase):
    def test_no_action_is_a_wildcard_but_in_the_key_s_own_policy(self):
        for stack in every_stack():
            for place, statements in stack.policies():
                for statement in statements:
                    self.assertNotIn("NotAction", statement, place)
                    if place.endswith("key policy") and statement["Sid"] == "IamDecides":
                        continue  # Checked below. AWS demands it, or the key is out of everybody's reach.
                    if statement == only_over_tls(statement.get("Resource")):
                        continue  # It allows nothing.
                    for action in listed(statement["Action"]):
                        self.assertRegex(action, r"^[a-z0-9]+:[A-Za-z]+$", place)

    def test_no_resource_is_a_wildcard_where_aws_has_another(self):
        for stack in every_stack():
            for place, statements in stack.policies():
                for statement in statements:
                    self.assertNotIn("NotResource", statement, place)
                    if place.endswith(("trust", "key policy")):
                        continue  # They are about the role, and the key, that they belong to.
                    for resource in listed(statement["Resource"]):
                        actions = set(listed(statement["Action"]))
                        if "*" in resource and actions == ALARMS:
                            self.assertTrue(resource.endswith(":123456789012:alarm:*"), place)
                        elif "*" in resource:
                            self.assertEqual(resource, "*", place)
                            self.assertIn(actions, (TRACES, INTERFACES), place)

    def test_each_function_may_do_what_it_does_and_no_more(self):
        shared = {"${ComponentSecret.Id}": {"secretsmanager:GetSecretValue"}, "${TablesKey.Arn}": {"kms:Decrypt"}}
        for stack in every_stack():
            self.assertEqual({f["Handler"] for f in stack.functions().values()}, set(PERMISSIONS))
            for name, function in stack.functions().items():
                logs = f"${{{name.removesuffix('Function')}Logs.Arn}}"
                self.assertEqual(
                    stack.allowed(function),
                    {
                        **PERMISSIONS[function["Handler"]],
                        **shared,
                        logs: {"logs:CreateLogStream", "logs:PutLogEvents"},
                        "*": INTERFACES if stack.values["AWS::Region"].startswith("cn-") else TRACES | INTERFACES,
                    },
                    name,
                )

    def test_each_function_has_a_role_of_its_own_without_policies_of_aws(self):
        stack = Stack()
        roles = [function["Role"] for function in stack.functions().values()]
        self.assertEqual(len(set(roles)), len(PERMISSIONS))
        for name, role in stack.of("AWS::IAM::Role").items():
            self.assertIn(role.get("ManagedPolicyArns", []), ([], ["${FunctionsPolicy}"]), name)

    def test_each_role_is_for_one_service_of_this_account(self):
        services = {f"{service}.amazonaws.com" for service in ("lambda", "scheduler", "pipes", "codedeploy")}
        for name, role in Stack(**SHIFT).of("AWS::IAM::Role").items():
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            principals = listed(statement["Principal"]["Service"])
            self.assertEqual(len(principals), 1, name)
            self.assertIn(principals[0], services)
            self.assertEqual(statement["Condition"]["StringEquals"].get("aws:SourceAccount"), "123456789012", name)
        sources = {
            role: stack_role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["aws:SourceArn"]
            for role, stack_role in Stack().of("AWS::IAM::Role").items()
            if role in ("SchedulesRole", "ChangesPipeRole")
        }
        pipes = [f"arn:aws:pipes:us-east-1:123456789012:pipe/wechat-authorizer-{name}" for name in ("changes", "pushes")]
        self.assertEqual(sources, {"SchedulesRole": "${Schedules.Arn}", "ChangesPipeRole": pipes})

    def test_the_schedules_start_their_functions_and_nothing_else(self):
        role = Stack().resources["SchedulesRole"]["Properties"]
        allowed = {a: s["Resource"] for s in role["Policies"][0]["PolicyDocument"]["Statement"] for a in s["Action"]}
        started = ["RefreshFunction", "ReconcileFunction"]
        self.assertEqual(allowed, {"lambda:InvokeFunction": [live(name) for name in started], "sqs:SendMessage": FAILED})
        schedules = Stack().of("AWS::Scheduler::Schedule").values()
        aliases = [f"${{{name}Aliaslive}}" for name in started]
        self.assertEqual([schedule["Target"]["Arn"] for schedule in schedules], aliases)
        for schedule in schedules:
            self.assertEqual(schedule["Target"]["RoleArn"], "${SchedulesRole.Arn}")
            self.assertEqual(schedule["GroupName"], "${Schedules}")

    def test_queues_are_spoken_to_over_tls_only(self):
        stack = Stack()
        policies = stack.of("AWS::SQS::QueuePolicy").values()
        closed = {policy["Queues"][0]: policy["PolicyDocument"]["Statement"] for policy in policies}
        queues = stack.of("AWS::SQS::Queue")
        self.assertEqual(closed, {f"${{{name}}}": [only_over_tls(f"${{{name}.Arn}}")] for name in queues})

    def test_the_code_of_a_function_may_not_touch_network_interfaces(self):
        statements = Stack().resources["FunctionsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        denials = [s for s in statements if s["Effect"] == "Deny"]
        self.assertEqual([set(s["Action"]) for s in denials], [INTERFACES])
        self.assertEqual(denials[0]["Resource"], "*")
        self.assertEqual(denials[0]["Condition"], {"Null": {"lambda:SourceFunctionArn": "false"}})

    def test_the_key_decrypts_only_through_services_that_are_named(self):
        for stack in every_stack():
            for place, statements in stack.policies():
                for statement in statements:
                    if statement.get("Resource") != "${TablesKey.Arn}":
                        continue
                    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
                    region = stack.values["AWS::Region"]
                    for service in services:
                        self.assertRegex(
                            service, rf"^(dynamodb|secretsmanager)\.{region}\.amazonaws\.com(\.cn)?$", place
                        )

    def test_services_cannot_read_refresh_tokens_and_leases(self):
        statement = Stack().resources["ReadAccessTokensPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
        attributes = set(statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])
        self.assertLessEqual({"authorizer_access_token", "state", "unverified_state", "bound", "profile", "profile_at"}, attributes)
        self.assertFalse(attributes & {"authorizer_refresh_token", "lease_owner", "lease_until", "change"})
        self.assertEqual(statement["Condition"]["Null"], {"dynamodb:Attributes": "false"})
        self.assertEqual(statement["Condition"]["StringEquals"], {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"})
        schema = json.loads((ROOT / "docs/schemas/record.json").read_text(encoding="utf-8"))
        self.assertEqual(attributes, set(schema["properties"]))

    def test_each_policy_for_services_gives_one_thing(self):
        for stack in every_stack():
            given = {
                name: [(set(s["Action"]), s["Resource"]) for s in policy["PolicyDocument"]["Statement"]]
                for name, policy in stack.of("AWS::IAM::ManagedPolicy").items()
                if name != "FunctionsPolicy"
            }
            invoke = {"lambda:InvokeFunction"}
            expected = {
                "ReadAccessTokensPolicy": [
                    ({"dynamodb:BatchGetItem", "dynamodb:GetItem"}, AUTHORIZERS),
                    ({"kms:Decrypt"}, "${TablesKey.Arn}"),
                ],
                "InvokeTokenPolicy": [(invoke, live("TokenFunction"))],
                "InvokeComponentTokenPolicy": [(invoke, live("ComponentTokenFunction"))],
                "InvokeLaunchPolicy": [(invoke, live("LaunchFunction"))],
            }
            self.assertEqual(given, expected)
            outputs = {stack.outputs[f"{name}Arn"] for name in expected}
            self.assertEqual(outputs, {f"${{{name}}}" for name in expected})

    def test_the_endpoint_of_dynamodb_lets_through_what_the_functions_do(self):
        stack = Stack(**CREATED)
        (statement,) = stack.resources["DynamoDbEndpoint"]["Properties"]["PolicyDocument"]["Statement"]
        used = {}
        for function in stack.functions().values():
            for resource, actions in stack.allowed(function).items():
                actions = {action for action in actions if action.startswith("dynamodb:")}
                if actions:
                    used.setdefault(resource, set()).update(actions)
        self.assertEqual(set(statement["Resource"]), set(used))
        self.assertEqual(set(statement["Action"]), set().union(*used.values()))


def only_over_tls(queue):
    return {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


class State(unittest.TestCase):
    def test_tables_secret_and_key_outlive_the_stack(self):
        kept = ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::KMS::Key")
        outbox = "PushesTable"
        resources = [r for name, r in Stack().resources.items() if r["Type"] in kept and name != outbox]
        self.assertEqual(len(resources), 4)
        for resource in resources:
            self.assertEqual(
                (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")), ("Retain", "Retain")
            )
            # Whose name is the longest: a stack name that is too long fails before anything is left behind.
            self.assertEqual(resource.get("DependsOn"), "Schedules")

    def test_tables_are_protected_restorable_and_encrypted_with_the_stack_s_key(self):
        tables = Stack().of("AWS::DynamoDB::Table")
        self.assertEqual(set(tables), {"AuthorizersTable", "PlatformTable", "PushesTable"})
        for name, table in tables.items():
            # What is pushed is personal data, and kept for a day.
            kept = name != "PushesTable"
            self.assertIs(table.get("DeletionProtectionEnabled", False), kept)
            self.assertIs("PointInTimeRecoverySpecification" in table, kept)
            if kept:
                self.assertIs(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], True)
            else:
                self.assertEqual(table["TimeToLiveSpecification"], {"AttributeName": "expires_at", "Enabled": True})
            sse = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "${TablesKey.Arn}"}
            self.assertEqual(table["SSESpecification"], sse)

    def test_no_record_of_a_merchant_expires(self):
        self.assertNotIn("TimeToLiveSpecification", Stack().resources["AuthorizersTable"]["Properties"])

    def test_the_key_rotates_and_serves_this_account_and_its_alarms(self):
        key = Stack().resources["TablesKey"]["Properties"]
        self.assertIs(key["EnableKeyRotation"], True)
        owner, alarms = key["KeyPolicy"]["Statement"]
        self.assertEqual(owner["Principal"], {"AWS": "arn:aws:iam::123456789012:root"})
        self.assertEqual(alarms["Principal"], {"Service": "cloudwatch.amazonaws.com"})
        self.assertEqual(set(alarms["Action"]), {"kms:Decrypt", "kms:GenerateDataKey"})
        self.assertEqual(alarms.get("Condition"), ALARMS_OF_THIS_STACK)

    def test_secrets_are_in_secrets_manager_only(self):
        stack = Stack()
        secret = stack.resources["ComponentSecret"]["Properties"]
        self.assertEqual(secret["KmsKeyId"], "${TablesKey.Arn}")
        self.assertEqual(set(json.loads(secret["SecretString"]).values()), {"replace-me"})
        suspicious = re.compile("secret|token|key|password", re.I)
        self.assertFalse([name for name in TEMPLATE["Parameters"] if suspicious.search(name)])
        for function in stack.functions().values():
            variables = function["Environment"]["Variables"]
            names = [name for name in variables if suspicious.search(name)]
            self.assertEqual(names, ["COMPONENT_SECRET_ARN"])
            self.assertEqual(variables["COMPONENT_SECRET_ARN"], "${ComponentSecret.Id}")

    def test_each_setting_of_launches_and_pages_reaches_every_function(self):
        given = {
            "RequireLaunch": "true",
            "ReturnUrl": "https://shop.example.com/done",
            "ReturnUrlPrefix": "https://shop.example.com/",
            "UnvouchedPerSecond": "3",
            "UnvouchedPerDay": "77",
            "PlatformName": "一号店管家",
            "PlatformLogo": "https://cdn.example.com/logo.png",
            "SupportContact": "400-123-4567",
        }
        for function in Stack(**given).functions().values():
            variables = function["Environment"]["Variables"]
            self.assertEqual(variables.get("REQUIRE_LAUNCH"), "true")
            self.assertEqual(variables.get("RETURN_URL"), "https://shop.example.com/done")
            self.assertEqual(variables.get("RETURN_URL_PREFIX"), "https://shop.example.com/")
            self.assertEqual(variables.get("UNVOUCHED_PER_SECOND"), "3")
            self.assertEqual(variables.get("UNVOUCHED_PER_DAY"), "77")
            self.assertEqual(variables.get("PLATFORM_NAME"), "一号店管家")
            self.assertEqual(variables.get("PLATFORM_LOGO"), "https://cdn.example.com/logo.png")
            self.assertEqual(variables.get("SUPPORT_CONTACT"), "400-123-4567")
        defaults = {name: str(TEMPLATE["Parameters"][name]["Default"]) for name in given}
        numbers = {"UnvouchedPerSecond": "2", "UnvouchedPerDay": "1000"}
        empty = dict.fromkeys(["ReturnUrl", "ReturnUrlPrefix", "PlatformName", "PlatformLogo", "SupportContact"], "")
        self.assertEqual(defaults, {"RequireLaunch": "false", **empty, **numbers})

    def test_a_return_address_of_a_launch_is_below_an_https_address(self):
        pattern = TEMPLATE["Parameters"]["ReturnUrlPrefix"]["AllowedPattern"]
        for address in ("", "https://shop.example.com/wechat/"):
            self.assertRegex(address, pattern)
        for address in ("http://shop.example.com/", "javascript:alert(1)", "https://a b"):
            self.assertNotRegex(address, pattern)

    def test_queues_and_the_topic_are_encrypted(self):
        for queue in Stack().of("AWS::SQS::Queue").values():
            self.assertIs(queue["SqsManagedSseEnabled"], True)
        for topic in Stack().of("AWS::SNS::Topic").values():
            self.assertEqual(topic["KmsMasterKeyId"], "${TablesKey}")


# What is reserved for a function, and its maximum.
CONCURRENCY = {"Visits": 250, "Events": 100, "Messages": 100, "Refresh": 2}


def seconds(file, constant):
    """A constant of the source."""
    (found,) = re.findall(rf"const {constant}: Duration = Duration::from_secs\((\d+)\);", (ROOT / file).read_text(encoding="utf-8"))
    return int(found)


ALARMS_OF_THIS_STACK = {
    "StringEquals": {"aws:SourceAccount": "123456789012"},
    "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:wechat-authorizer-*"},
}
CHANGES = ["authorized", "updated", "unauthorized", "unexchanged", "refresh_failed", "recovered"]
EVENTS_PATH = f"/events/{UUID.replace('-', '')}"
MESSAGES_PATH = f"/messages/{UUID.replace('-', '')}/{{appid}}"
ROUTES = {
    "GET /authorize": "Visits",
    "HEAD /authorize": "Visits",
    "GET /callback": "Visits",
    "HEAD /callback": "Visits",
    f"POST {EVENTS_PATH}": "Events",
    f"POST {MESSAGES_PATH}": "Messages",
}


class Boundary(unittest.TestCase):
    def test_every_role_carries_the_boundary_that_is_given(self):
        for given in ("", "arn:aws:iam::123456789012:policy/boundary-of-wechat-authorizer"):
            for name, role in Stack(PermissionsBoundary=given, **SHIFT).of("AWS::IAM::Role").items():
                self.assertEqual(role.get("PermissionsBoundary", ""), given, name)

    def test_the_boundary_has_the_actions_of_the_roles_and_no_other(self):
        stack = Stack(**CREATED, **SHIFT)
        roles = {"FunctionsPolicy", *stack.of("AWS::IAM::Role")}
        needed = {
            action
            for place, statements in stack.policies() if place in roles
            for statement in statements if statement["Effect"] == "Allow"
            for action in listed(statement["Action"])
        }
        boundary = json.loads((ROOT / "ops" / "boundary-policy.json").read_text(encoding="utf-8"))
        self.assertEqual({action for statement in boundary["Statement"] for action in statement["Action"]}, needed)


class Public(unittest.TestCase):
    def test_there_are_six_public_routes(self):
        stack = Stack()
        routes = {
            route["RouteKey"]: route["Target"].removeprefix("integrations/")
            for route in stack.of("AWS::ApiGatewayV2::Route").values()
        }
        self.assertEqual(routes, {key: f"${{{name}Integration}}" for key, name in ROUTES.items()})
        for name, integration in stack.of("AWS::ApiGatewayV2::Integration").items():
            function = f"{name.removesuffix('Integration')}Function"
            self.assertIn(f"functions/{live(function)}/invocations", integration["IntegrationUri"])
            self.assertEqual(integration["PayloadFormatVersion"], "2.0")

    def test_nothing_else_is_reached_from_outside(self):
        for stack in every_stack():
            for resource_type in (
                "Lambda::Url",
                "S3::Bucket",
                "ApiGateway::RestApi",
                "EC2::Instance",
            ):
                self.assertFalse(stack.of(f"AWS::{resource_type}"))
            self.assertEqual(len(stack.of("AWS::ApiGatewayV2::Api")), 1)
            for place, statements in stack.policies():
                for statement in statements:
                    if "*" in strings_of(statement.get("Principal", {})) and statement["Effect"] == "Allow":
                        self.assertEqual(
                            statement["Condition"], {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}, place
                        )

    def test_only_the_api_s_own_routes_invoke_a_function(self):
        called = set()
        for permission in Stack().of("AWS::Lambda::Permission").values():
            self.assertEqual(permission["Principal"], "apigateway.amazonaws.com")
            source = permission["SourceArn"].removeprefix("arn:aws:execute-api:us-east-1:123456789012:${Api}/")
            called.add((permission["FunctionName"], source))
        self.assertEqual(
            called,
            {
                ("${VisitsFunctionAliaslive}", "*/*/authorize"),
                ("${VisitsFunctionAliaslive}", "*/*/callback"),
                ("${EventsFunctionAliaslive}", "*/POST/events/*"),
                ("${MessagesFunctionAliaslive}", "*/POST/messages/*"),
            },
        )

    def test_the_api_calls_nothing_that_it_has_no_permission_for_yet(self):
        stack = Stack()
        permissions = stack.of("AWS::Lambda::Permission")
        for name in stack.of("AWS::ApiGatewayV2::Integration"):
            alias = f"${{{name.removesuffix('Integration')}FunctionAliaslive}}"
            needed = {name for name, permission in permissions.items() if permission["FunctionName"] == alias}
            self.assertEqual(set(listed(stack.resources[name].get("DependsOn"))), needed, name)

    def test_every_route_is_throttled_and_a_flood_of_others_takes_nothing_of_the_pushes(self):
        stack = Stack()
        (stage,) = stack.of("AWS::ApiGatewayV2::Stage").values()
        pushes = {f"POST {EVENTS_PATH}", f"POST {MESSAGES_PATH}"}
        self.assertEqual(set(stage["RouteSettings"]), set(ROUTES) - pushes)
        waits = stack.resources["ApiStage"]["DependsOn"]
        there = {stack.resources[name]["Properties"]["RouteKey"] for name in waits}
        self.assertEqual(there, set(stage["RouteSettings"]))
        for settings in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
            self.assertTrue(0 < settings["ThrottlingRateLimit"] <= 500)
            self.assertTrue(0 < settings["ThrottlingBurstLimit"] <= 1000)

    def test_doctor_and_the_console_are_told_of_the_path_of_pushes(self):
        stack = Stack()
        told = stack.resources["DoctorFunction"]["Properties"]["Environment"]["Variables"]
        self.assertEqual(f"/{told.get('EVENTS_PATH')}", EVENTS_PATH)
        self.assertEqual(f"/{told.get('MESSAGES_PATH')}/{{appid}}", MESSAGES_PATH)
        self.assertTrue(stack.outputs["EventsUrl"].endswith(EVENTS_PATH))
        self.assertTrue(stack.outputs["MessagesUrl"].endswith(MESSAGES_PATH.replace("{appid}", "$APPID$")))

    def test_concurrency_is_kept_and_capped_or_left_alone(self):
        kept = CONCURRENCY
        concurrency = lambda stack: {
            name.removesuffix("Function"): function["ReservedConcurrentExecutions"]
            for name, function in stack.functions().items()
            if "ReservedConcurrentExecutions" in function
        }
        self.assertEqual(concurrency(Stack()), {name: str(most) for name, most in kept.items()})
        self.assertLess(sum(kept.values()), 900)
        self.assertEqual(concurrency(Stack(**{f"{name}Concurrency": 0 for name in kept})), {})

    def test_a_flood_of_one_page_leaves_the_other_room(self):
        # How long a visit of each can take that a stranger may cause again and again.
        waits = {
            "GET /callback": seconds("src/callback/budget.rs", "WAIT_FOR_PUSH"),
            "GET /authorize": seconds("src/component/call.rs", "WHILE_SILENT"),
        }
        (stage,) = Stack().of("AWS::ApiGatewayV2::Stage").values()
        rates = {route: stage["RouteSettings"][route]["ThrottlingRateLimit"] for route in waits}
        self.assertLessEqual(sum(rates[route] * waits[route] for route in waits), CONCURRENCY["Visits"])

    def test_access_logs_have_no_query_string_and_no_path(self):
        (stage,) = Stack().of("AWS::ApiGatewayV2::Stage").values()
        self.assertEqual(stage["AccessLogSettings"]["DestinationArn"], "${ApiLogs.Arn}")
        logged = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))
        harmless = {"requestId", "integration.requestId", "requestTime", "routeKey", "status", "responseLatency"}
        self.assertEqual(logged, harmless | {"identity.sourceIp", "integration.latency", "integration.error"})

    def test_every_log_group_forgets_and_every_function_has_one(self):
        stack = Stack(LogRetentionDays=7)
        groups = {name: group.get("RetentionInDays") for name, group in stack.of("AWS::Logs::LogGroup").items()}
        # It has addresses of visitors.
        self.assertEqual(groups.pop("ApiLogs"), 30)
        self.assertEqual(set(groups.values()), {"7"})
        used = [function["LoggingConfig"]["LogGroup"] for function in stack.functions().values()]
        self.assertEqual(len(set(used)), len(PERMISSIONS))
        self.assertLessEqual({name[2:-1] for name in used}, set(groups))

    def test_the_pipes_are_made_last_or_not_at_all(self):
        stack = Stack()
        for name in ("ChangesPipe", "PushesPipe"):
            self.assertEqual(stack.resources[name]["DependsOn"], "AlarmsStack")
        told = set(stack.resources["AlarmsStack"]["Properties"]["Parameters"].values())
        self.assertLessEqual({f"${{{name}}}" for name in stack.functions()}, told)
        without = Stack(PublishChanges="false").resources
        made = {name for name in stack.resources if name not in without}
        self.assertEqual(made, {"ChangesPipe", "PushesPipe", "ChangesPipeRole"})

    def test_the_pipes_show_no_tokens_and_log_no_messages(self):
        for pipe in Stack().of("AWS::Pipes::Pipe").values():
            self.assertNotIn("IncludeExecutionData", pipe["LogConfiguration"])
            self.assertNotIn("token", pipe["TargetParameters"]["InputTemplate"])

    def test_the_outbox_is_published_and_what_expires_is_not(self):
        pipe = Stack().resources["PushesPipe"]["Properties"]
        (pattern,) = pipe["SourceParameters"]["FilterCriteria"]["Filters"]
        self.assertEqual(json.loads(pattern["Pattern"]), {"eventName": ["INSERT", "MODIFY"]})
        self.assertEqual(pipe["Source"], "${PushesTable.StreamArn}")

    def test_the_pipe_publishes_every_kind_of_change(self):
        (pattern,) = Stack().resources["ChangesPipe"]["Properties"]["SourceParameters"]["FilterCriteria"]["Filters"]
        published = json.loads(pattern["Pattern"])["dynamodb"]["NewImage"]["change"]["S"]
        self.assertEqual(published, CHANGES)
        for text in (
            Stack().resources["ChangesBus"]["Properties"]["Description"],
            TEMPLATE["Outputs"]["ChangesBusName"]["Description"],
        ):
            self.assertEqual(re.findall("|".join(CHANGES), text), CHANGES)


def strings_of(value):
    return [text for _, text in strings(value)]


class Versions(unittest.TestCase):
    def test_every_function_has_the_alias_and_nothing_calls_it_otherwise(self):
        # What is about a function, and calls none: its versions, and its metrics.
        about = {f"AWS::{name}" for name in (
            "Lambda::Version", "Lambda::Alias", "Lambda::EventInvokeConfig", "CloudWatch::Alarm", "CloudWatch::Dashboard",
            "CloudFormation::Stack",
        )}
        for stack in every_stack():
            aliases = {alias["FunctionName"]: alias["Name"] for alias in stack.of("AWS::Lambda::Alias").values()}
            self.assertEqual(aliases, {f"${{{name}}}": "live" for name in stack.functions()})
            naming = [stack.outputs, *(
                resource["Properties"] for name, resource in stack.resources.items()
                if resource["Type"] not in about and name != "TrafficShiftRole"
            )]
            for text in strings_of(naming):
                for function, after in re.findall(r"\$\{(\w+Function)(?:\.Arn)?\}(:live\b)?", text):
                    self.assertEqual(after, ":live", text)
            for name, config in stack.of("AWS::Lambda::EventInvokeConfig").items():
                self.assertEqual(config["Qualifier"], "live", name)

    def test_a_change_of_any_property_publishes_a_version(self):
        functions = [r["Properties"] for r in SOURCE["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
        self.assertEqual(len(functions), len(PERMISSIONS))
        for function in functions:
            self.assertIs(function.get("AutoPublishAliasAllProperties"), True, function["Handler"])

    def test_a_change_of_any_parameter_publishes_a_version(self):
        # SAM sees no value of a parameter. A version with another description is another version, and for Lambda a function
        # with another variable is another one.
        content = TEMPLATE["Resources"]["Settings"]["Properties"]["Content"]["Fn::Sub"]
        functions = [r["Properties"] for r in TEMPLATE["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
        self.assertEqual(set(re.findall(r"\$\{(\w+)\}", content)), parameters_of(functions))
        number = "${Settings.VersionNumber}"
        stack = Stack()
        for function in stack.functions().values():
            self.assertEqual(function["Environment"]["Variables"].get("SETTINGS_VERSION"), number)
        for name, version in stack.of("AWS::Lambda::Version").items():
            self.assertEqual(version.get("Description"), f"Settings {number}", name)

    def test_no_version_outlives_the_next_one(self):
        for name, resource in Stack().resources.items():
            if resource["Type"] == "AWS::Lambda::Version":
                self.assertEqual(resource.get("DeletionPolicy"), "Delete", name)

    def test_there_is_codedeploy_only_with_a_shift_of_traffic(self):
        stack = Stack()
        made = [name for name, r in stack.resources.items() if r["Type"].startswith("AWS::CodeDeploy::") or "UpdatePolicy" in r]
        self.assertEqual(made, [])
        self.assertNotIn("TrafficShiftRole", stack.resources)
        choices = TEMPLATE["Parameters"]["TrafficShift"]
        self.assertEqual(choices["Default"], "AllAtOnce")
        enabled = {name: str(name != "AllAtOnce").lower() for name in choices["AllowedValues"]}
        found = {name: choice["Enabled"] for name, choice in TEMPLATE["Mappings"]["TrafficShifts"].items()}
        self.assertEqual(found, enabled)

    def test_a_shift_of_traffic_is_for_those_whom_somebody_calls(self):
        stack = Stack(**SHIFT)
        (application,) = stack.of("AWS::CodeDeploy::Application")
        policies = {name: r["UpdatePolicy"] for name, r in stack.resources.items() if "UpdatePolicy" in r}
        groups = {name: f"{name}DeploymentGroup" for name in SHIFTED}
        self.assertEqual(policies, {
            f"{name}Aliaslive": {"CodeDeployLambdaAliasUpdate": {
                "ApplicationName": {"Ref": application}, "DeploymentGroupName": {"Ref": group}}}
            for name, group in groups.items()
        })
        self.assertEqual(set(stack.of("AWS::CodeDeploy::DeploymentGroup")), set(groups.values()))
        for group in stack.of("AWS::CodeDeploy::DeploymentGroup").values():
            self.assertEqual(group["DeploymentConfigName"], f"CodeDeployDefault.Lambda{SHIFT['TrafficShift']}")
            self.assertEqual(group["ServiceRoleArn"], "${TrafficShiftRole.Arn}")
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["AutoRollbackConfiguration"]["Events"])

    def test_alarms_that_exist_take_a_shift_of_traffic_back(self):
        stack = Stack(**SHIFT)
        exist = {alarm["AlarmName"] for alarm in stack.of("AWS::CloudWatch::Alarm").values()}
        for function, others in SHIFTED.items():
            group = stack.resources[f"{function}DeploymentGroup"]["Properties"]
            named = [alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]]
            own = function.replace("Function", "ErrorsAlarm")
            self.assertEqual(named, [f"wechat-authorizer-{name}" for name in (own, *others)])
            self.assertLessEqual(set(named), exist)

    def test_codedeploy_moves_these_aliases_and_no_other(self):
        (policy,) = Stack(**SHIFT).resources["TrafficShiftRole"]["Properties"]["Policies"]
        moved, alarms = policy["PolicyDocument"]["Statement"]
        self.assertEqual(set(moved["Action"]), {"lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"})
        arns = [arn for name in SHIFTED for arn in (f"${{{name}.Arn}}", live(name))]
        self.assertEqual(moved["Resource"], arns)
        self.assertEqual(set(alarms["Action"]), ALARMS)


def parameters_of(value):
    """The parameters that a value of the template depends on, also through conditions and the network."""
    found, seen = set(), set()

    def look(value):
        if isinstance(value, list):
            for element in value:
                look(element)
        if not isinstance(value, dict):
            return
        for key, argument in value.items():
            names = [argument] if key in ("Ref", "Condition") else []
            if key == "Fn::If":
                names = [argument[0]]
            if key == "Fn::Sub":
                names = re.findall(r"\$\{(\w+)", argument if isinstance(argument, str) else argument[0])
            if key == "Fn::GetAtt" and argument[0] in nested(TEMPLATE):
                look(TEMPLATE["Resources"][argument[0]]["Properties"])
            for name in names:
                if isinstance(name, str) and name in TEMPLATE["Parameters"]:
                    found.add(name)
                elif isinstance(name, str) and name in TEMPLATE["Conditions"] and name not in seen:
                    seen.add(name)
                    look(TEMPLATE["Conditions"][name])
            look(argument)

    look(value)
    return found


class Network(unittest.TestCase):
    def test_none_makes_no_network(self):
        stack = Stack()
        self.assertFalse([r for r in stack.resources.values() if r["Type"].startswith("AWS::EC2::")])
        for function in stack.functions().values():
            self.assertNotIn("VpcConfig", function)
        self.assertNotIn("WechatAllowList", stack.outputs)

    def test_existing_uses_what_is_given_and_makes_none(self):
        stack = Stack(**EXISTING)
        self.assertFalse([r for r in stack.resources.values() if r["Type"].startswith("AWS::EC2::")])
        for function in stack.functions().values():
            self.assertEqual(
                function.get("VpcConfig"), {"SubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}
            )

    def test_created_puts_the_functions_into_private_subnets_of_two_zones(self):
        stack = Stack(**CREATED)
        inside = {
            "SubnetIds": ["${PrivateSubnetA}", "${PrivateSubnetB}"],
            "SecurityGroupIds": ["${FunctionsSecurityGroup}"],
        }
        for function in stack.functions().values():
            self.assertEqual(function["VpcConfig"], inside)
        subnets = stack.of("AWS::EC2::Subnet")
        self.assertEqual(len({s["CidrBlock"] for s in subnets.values()}), 4)
        for kind in ("Public", "Private"):
            for given, expected in (
                ({}, ["use1-az1", "use1-az2"]),
                ({"region": "us-west-1"}, ["usw1-az1", "usw1-az3"]),
                ({"Zones": "use1-az4,use1-az6"}, ["use1-az4", "use1-az6"]),
            ):
                made = Stack(**given, **CREATED).of("AWS::EC2::Subnet")
                self.assertEqual([made[f"{kind}Subnet{zone}"]["AvailabilityZoneId"] for zone in "AB"], expected)
        for subnet in subnets.values():
            self.assertNotIn("MapPublicIpOnLaunch", subnet)

    def test_private_subnets_go_out_through_nat_and_to_dynamodb_through_the_endpoint(self):
        for gateways, expected in ((2, ["A", "B"]), (1, ["A", "A"])):
            stack = Stack(**CREATED, NatGateways=gateways)
            self.assertEqual(len(stack.of("AWS::EC2::NatGateway")), gateways)
            routes = stack.of("AWS::EC2::Route")
            tables = {
                association["SubnetId"][2:-1]: association["RouteTableId"]
                for association in stack.of("AWS::EC2::SubnetRouteTableAssociation").values()
            }
            for zone, nat in zip("AB", expected):
                (private,) = [r for r in routes.values() if r["RouteTableId"] == tables[f"PrivateSubnet{zone}"]]
                self.assertEqual(
                    (private["DestinationCidrBlock"], private["NatGatewayId"]), ("0.0.0.0/0", f"${{NatGateway{nat}}}")
                )
                (public,) = [r for r in routes.values() if r["RouteTableId"] == tables[f"PublicSubnet{zone}"]]
                self.assertEqual(public["GatewayId"], "${InternetGateway}")
                self.assertEqual(
                    stack.of("AWS::EC2::NatGateway")[f"NatGateway{nat}"]["SubnetId"], f"${{PublicSubnet{nat}}}"
                )
            endpoint = stack.resources["DynamoDbEndpoint"]["Properties"]
            self.assertEqual(endpoint["VpcEndpointType"], "Gateway")
            self.assertEqual(endpoint["RouteTableIds"], ["${PrivateRoutesA}", "${PrivateRoutesB}"])

    def test_the_addresses_are_an_output_for_the_allow_list(self):
        self.assertEqual(Stack(**CREATED).outputs["WechatAllowList"], "${NatAddressA};${NatAddressB}")
        one = Stack(**CREATED, NatGateways=1)
        self.assertEqual(one.outputs["WechatAllowList"], "${NatAddressA}")
        self.assertEqual(set(one.of("AWS::EC2::EIP")), {"NatAddressA"})

    def test_https_goes_out_and_nothing_comes_in(self):
        (group,) = Stack(**CREATED).of("AWS::EC2::SecurityGroup").values()
        self.assertNotIn("SecurityGroupIngress", group)
        rules = [{k: v for k, v in rule.items() if k != "Description"} for rule in group["SecurityGroupEgress"]]
        self.assertEqual(rules, [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}])

    def test_zones_do_not_depend_on_the_order_in_which_aws_lists_them(self):
        self.assertNotIn("Fn::GetAZs", json.dumps(TEMPLATE))
        for region, zones in nested(TEMPLATE)["NetworkStack"]["Mappings"]["Zones"].items():
            self.assertEqual(len(set(zones.values())), 2, region)
            for zone in zones.values():
                self.assertRegex(zone, r"^[a-z]+\d-az\d$", region)

    def test_wechat_is_called_by_ipv4_only(self):
        for stack in every_stack():
            found = [
                (path, text)
                for path, text in strings(stack.resources)
                if re.search(r"ipv6|::/0|dualstack|AAAA", text, re.I)
            ]
            self.assertFalse(found)

    def test_a_network_that_is_half_given_is_refused(self):
        for wrong in (
            {"Network": "existing"},
            {**EXISTING, "SubnetIds": ""},
            {**EXISTING, "SecurityGroupIds": ""},
            {**EXISTING, "Network": "none"},
            {**EXISTING, "Network": "created"},
        ):
            self.assertTrue(Stack(**wrong).refused, wrong)
        for right in ({}, EXISTING, CREATED):
            self.assertFalse(Stack(**right).refused, right)


class Domain(unittest.TestCase):
    def test_everything_names_the_same_origin(self):
        own = "https://auth.example.com"
        for parameters, origin in (
            ({}, None),
            (ZONE, own),
            (CERTIFICATE, own),
            ({**ZONE, "DefaultEndpoint": "disabled"}, own),
            ({"PublicBaseUrl": "https://cdn.example.com"}, "https://cdn.example.com"),
            ({**ZONE, "PublicBaseUrl": "https://cdn.example.com"}, "https://cdn.example.com"),
        ):
            stack = Stack(**parameters)
            for function in stack.functions().values():
                told = function["Environment"]["Variables"]["PUBLIC_BASE_URL"]
                if function["Handler"] in ("doctor", "launch"):
                    self.assertEqual(told, origin or "${Api.ApiEndpoint}")
                else:
                    self.assertEqual(told, origin or "", parameters)
            shown = origin or "${Api.ApiEndpoint}"
            for output, path in (
                ("AuthorizeUrl", "/authorize"),
                ("CallbackUrl", "/callback"),
                ("EventsUrl", EVENTS_PATH),
            ):
                self.assertEqual(stack.outputs[output], shown + path)
            if origin:
                self.assertEqual(stack.outputs["AuthorizationHost"], origin.removeprefix("https://"))

    def test_a_certificate_is_made_only_where_none_is_given(self):
        made = Stack(**ZONE)
        (certificate,) = made.of("AWS::CertificateManager::Certificate").values()
        self.assertEqual(certificate["ValidationMethod"], "DNS")
        self.assertEqual(
            certificate["DomainValidationOptions"], [{"DomainName": "auth.example.com", "HostedZoneId": "Z123"}]
        )
        given = Stack(**CERTIFICATE)
        self.assertFalse(given.of("AWS::CertificateManager::Certificate"))
        for stack, expected in ((made, "${Certificate}"), (given, CERTIFICATE["CertificateArn"])):
            (domain,) = stack.of("AWS::ApiGatewayV2::DomainName").values()
            configuration = {"EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2", "CertificateArn": expected}
            self.assertEqual(domain["DomainNameConfigurations"], [configuration])

    def test_the_domain_leads_to_the_api_and_the_record_to_the_domain(self):
        stack = Stack(**ZONE)
        (mapping,) = stack.of("AWS::ApiGatewayV2::ApiMapping").values()
        (stage,) = stack.of("AWS::ApiGatewayV2::Stage")
        self.assertEqual(mapping, {"ApiId": "${Api}", "Stage": f"${{{stage}}}", "DomainName": "${ApiDomain}"})
        (record,) = stack.of("AWS::Route53::RecordSet").values()
        self.assertEqual((record["Name"], record["Type"], record["HostedZoneId"]), ("auth.example.com", "A", "Z123"))
        self.assertEqual(record["AliasTarget"]["DNSName"], "${ApiDomain.RegionalDomainName}")
        elsewhere = Stack(**CERTIFICATE)
        self.assertFalse(elsewhere.of("AWS::Route53::RecordSet"))
        self.assertEqual(elsewhere.outputs["DomainTarget"], "${ApiDomain.RegionalDomainName}")
        self.assertFalse(Stack().of("AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"))

    def test_the_api_s_own_endpoint_can_be_closed(self):
        for choice, closed in (("enabled", False), ("disabled", True)):
            api = Stack(**ZONE, DefaultEndpoint=choice).resources["Api"]["Properties"]
            self.assertIs(api["DisableExecuteApiEndpoint"], closed)

    def test_a_domain_that_cannot_work_is_refused(self):
        for wrong in (
            {"DomainName": "auth.example.com"},
            {"DefaultEndpoint": "disabled"},
            {"HostedZoneId": "Z123"},
            {"CertificateArn": CERTIFICATE["CertificateArn"]},
        ):
            self.assertTrue(Stack(**wrong).refused, wrong)
        for right in (ZONE, CERTIFICATE, {**ZONE, **CERTIFICATE}, {**ZONE, "DefaultEndpoint": "disabled"}):
            self.assertFalse(Stack(**right).refused, right)


class Partition(unittest.TestCase):
    def test_no_partition_is_written_down(self):
        found = [(path, text) for path, text in strings(TEMPLATE["Resources"]) if "arn:aws" in text]
        self.assertFalse(found)
        for path, text in strings([TEMPLATE["Resources"], TEMPLATE["Outputs"]]):
            if "amazonaws.com" not in text and "aws.amazon.com" not in text:
                continue
            principal = "Principal" in path
            through = "kms:ViaService" in path
            console = ".console.aws.amazon.com/" in text
            self.assertTrue(principal or through or console, text)

    def test_china_has_its_own_arns_and_console(self):
        stack = Stack(region="cn-north-1", **CREATED, **ZONE)
        for text in strings_of([stack.resources, stack.outputs]):
            self.assertNotIn("arn:aws:", text)
            self.assertNotIn("console.aws.amazon.com", text)
        self.assertIn("https://cn-north-1.console.amazonaws.cn/", stack.outputs["DashboardUrl"])
        self.assertIn("https://us-east-1.console.aws.amazon.com/", Stack().outputs["DashboardUrl"])


APPID = "wx7c0de5a4db0c0001"
# The endpoints of WeChat whose quota of the day is measured, and their part of an alarm's name.
ENDPOINTS = {
    "api_component_token": "ComponentToken",
    "api_create_preauthcode": "PreAuthCode",
    "api_query_auth": "QueryAuth",
    "api_authorizer_token": "AuthorizerToken",
    "api_get_authorizer_info": "AuthorizerInfo",
    "api_get_authorizer_list": "AuthorizerList",
}
# What the functions emit: metric to its label and the label's values.
METRICS = {
    "Grants": ("Door", {"callback", "events", "messages", "refresh", "reconcile"}),
    "Outcomes": (
        "Outcome",
        {
            "stored",
            "pending",
            "code_invalid",
            "code_spent",
            "not_authorized",
            "not_ready",
            "unavailable",
            "unclaimed",
        },
    ),
    "Redirects": ("Evidence", {"browser", "launch", "visitor", "bare", "refused"}),
    "Unvouched": ("Result", {"over_budget"}),
    "WechatCalls": ("Answer", {"given", "refused", "none"}),
    "Refusals": ("Errcode", {"61004", "45009", "40001"}),
    "ExchangeLatency": None,
    "PageLatency": ("Page", {"authorize", "callback"}),
    "Refreshes": ("Result", {"refreshed", "failed", "revoked"}),
    "DueBacklog": None,
    "OldestDue": None,
    "PendingClaims": None,
    "OldestPending": None,
    "Unexchanged": None,
    "UnreadablePushes": None,
    "QuotaUsed": ("Endpoint", set(ENDPOINTS)),
    "TicketAge": None,
    "ComponentTokenAge": None,
}


def is_emitted(namespace, metric, dimensions):
    """Whether somebody emits exactly this metric."""
    functions = {f"${{{name}}}" for name in Stack().functions()}
    if namespace == "wechat-authorizer":
        label = METRICS.get(metric, ())
        labelled = (
            {}
            if label is None
            else {k: v for k, v in dimensions.items() if label and k == label[0] and v in label[1]}
        )
        return (
            metric in METRICS
            and dimensions == {"ComponentAppid": APPID, **labelled}
            and bool(labelled) == bool(label)
        )
    if namespace == "AWS/Lambda":
        known = {"Errors", "Throttles", "Duration", "Invocations", "ConcurrentExecutions"}
        return metric in known and set(dimensions) == {"FunctionName"} and dimensions["FunctionName"] in functions
    if namespace == "AWS/ApiGateway":
        return metric in {"Count", "4xx", "5xx"} and dimensions == {"ApiId": "${Api}"}
    if namespace == "AWS/SQS":
        queues = {"${FailedRuns.QueueName}", "${UnpublishedChanges.QueueName}"}
        return (
            metric == "ApproximateNumberOfMessagesVisible"
            and dimensions.get("QueueName") in queues
            and len(dimensions) == 1
        )
    if namespace == "AWS/DynamoDB":
        tables = {"${AuthorizersTable}", "${PlatformTable}", "${PushesTable}"}
        operations = {"UpdateItem"} if metric == "SystemErrors" else {None}
        known = {"ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"}
        return (
            metric in known and dimensions["TableName"] in tables and dimensions.get("Operation") in operations
        )
    others = {
        ("AWS/EventBridge/Pipes", "ExecutionFailed"): [
            {"PipeName": "wechat-authorizer-changes"},
            {"PipeName": "wechat-authorizer-pushes"},
        ],
        ("AWS/Scheduler", "TargetErrorCount"): [{"ScheduleGroup": "${Schedules}"}],
    }
    return dimensions in others.get((namespace, metric), [])


def metric_of(alarm):
    return alarm["Namespace"], alarm["MetricName"], {d["Name"]: d["Value"] for d in alarm["Dimensions"]}


# What must not happen unseen: alarm to what it looks at.
TABLES = ["Authorizers", "Platform", "Pushes"]
FUNCTIONS = [
    "Visits", "Events", "Messages", "Refresh", "Reconcile", "Launch", "Token", "ComponentToken", "Doctor",
]
WATCHED = {
    "TicketAlarm": "TicketAge",
    "ComponentTokenAlarm": "ComponentTokenAge",
    "RefreshBacklogAlarm": "OldestDue",
    "PendingAlarm": "OldestPending",
    "UnexchangedAlarm": "Unexchanged",
    "AllowListAlarm": "Refusals 61004",
    "TokenRefusedAlarm": "Refusals 40001",
    "QuotaAlarm": "Refusals 45009",
    **{f"QuotaUsed{name}Alarm": f"QuotaUsed {endpoint}" for endpoint, name in ENDPOINTS.items()},
    "FailuresAlarm": "5xx ${Api}",
    **{f"{name}ErrorsAlarm": f"Errors ${{{name}Function}}" for name in FUNCTIONS},
    **{f"{name}ThrottlesAlarm": f"Throttles ${{{name}Function}}" for name in FUNCTIONS},
    # The others may use up their time.
    **{f"{name}SlowAlarm": f"Duration ${{{name}Function}}" for name in FUNCTIONS if name not in ("Reconcile", "Doctor")},
    **{f"{name}ReadThrottlesAlarm": f"ReadThrottleEvents ${{{name}Table}}" for name in TABLES},
    **{f"{name}WriteThrottlesAlarm": f"WriteThrottleEvents ${{{name}Table}}" for name in TABLES},
    **{f"{name}ErrorsAlarm": f"SystemErrors ${{{name}Table}} UpdateItem" for name in TABLES},
    "ChangesPipeAlarm": "ExecutionFailed wechat-authorizer-changes",
    "PushesPipeAlarm": "ExecutionFailed wechat-authorizer-pushes",
    "SchedulesAlarm": "TargetErrorCount ${Schedules}",
    "FailedRunsAlarm": "ApproximateNumberOfMessagesVisible ${FailedRuns.QueueName}",
    "UnpublishedChangesAlarm": "ApproximateNumberOfMessagesVisible ${UnpublishedChanges.QueueName}",
}


def widgets(stack):
    return json.loads(stack.resources["Dashboard"]["Properties"]["DashboardBody"])["widgets"]


def graphed(widget):
    """The metrics of a graph, with the dots that repeat the row above filled in."""
    above = []
    for row in widget["properties"].get("metrics", []):
        names = [element for element in row if isinstance(element, str)]
        if not names:
            continue
        if names[0] == "...":
            names = above[: len(above) - len(names) + 1] + names[1:]
        names = [old if name == "." else name for name, old in itertools.zip_longest(names, above)][: len(names)]
        above = names
        yield names[0], names[1], dict(zip(names[2::2], names[3::2]))


class Watching(unittest.TestCase):
    def test_what_must_not_happen_unseen_has_an_alarm(self):
        watched = {}
        for name, alarm in Stack().of("AWS::CloudWatch::Alarm").items():
            _, metric, dimensions = metric_of(alarm)
            of = [value for value in dimensions.values() if value != APPID]
            watched[name] = " ".join([metric, *of])
        self.assertEqual(watched, WATCHED)

    def test_alarms_sound_at_the_number_that_the_documents_have(self):
        alarms = Stack().of("AWS::CloudWatch::Alarm")
        thresholds = {"UnexchangedAlarm": 1, **{f"QuotaUsed{name}Alarm": 50 for name in ENDPOINTS.values()}}
        for name, threshold in thresholds.items():
            alarm = alarms[name]
            self.assertEqual(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold", name)
            self.assertEqual(alarm["Threshold"], threshold, name)
            self.assertEqual(alarm["Period"], 3600, name)

    def test_a_slow_function_is_noticed_before_it_is_out_of_time(self):
        stack = Stack()
        alarms = stack.of("AWS::CloudWatch::Alarm")
        for name, alarm in alarms.items():
            if name.endswith("SlowAlarm"):
                timeout = 1000 * stack.resources[name.replace("SlowAlarm", "Function")]["Properties"]["Timeout"]
                # WeChat waits five seconds for the answer to a push.
                limit = 5000 if name in ("EventsSlowAlarm", "MessagesSlowAlarm") else timeout
                self.assertTrue(limit * 0.75 <= int(alarm["Threshold"]) < limit, name)

    def test_every_alarm_and_graph_is_of_a_metric_that_is_emitted(self):
        source = (ROOT / "src" / "metric.rs").read_text(encoding="utf-8")
        emitted = re.findall(r'(?:counter|histogram)!\("(\w+)"(?:, "(\w+)" =>)?', source)
        labels = {name: label[0] if label else "" for name, label in METRICS.items()}
        self.assertEqual(dict(emitted), labels)
        stack = Stack()
        for name, alarm in stack.of("AWS::CloudWatch::Alarm").items():
            self.assertTrue(is_emitted(*metric_of(alarm)), name)
        for widget in widgets(stack):
            for metric in graphed(widget):
                self.assertTrue(is_emitted(*metric), (widget["properties"]["title"], metric))

    def test_every_alarm_says_what_to_do_and_when_it_is_over(self):
        for name, alarm in Stack(name="s" * 54).of("AWS::CloudWatch::Alarm").items():
            self.assertTrue(200 < len(alarm["AlarmDescription"]) <= 1024, (name, len(alarm["AlarmDescription"])))
            self.assertRegex(alarm["AlarmDescription"], "README|docs/|dashboard", name)
            self.assertEqual((alarm["AlarmActions"], alarm["OKActions"]), (["${AlarmTopic}"], ["${AlarmTopic}"]))

    def test_a_missing_ticket_is_an_alarm_and_other_silence_is_none(self):
        for name, alarm in Stack().of("AWS::CloudWatch::Alarm").items():
            expected = "breaching" if name == "TicketAlarm" else "notBreaching"
            self.assertEqual(alarm["TreatMissingData"], expected, name)

    def test_no_function_is_left_out_of_the_alarms(self):
        self.assertEqual([f"{name}Function" for name in FUNCTIONS], list(Stack().functions()))

    def test_alarms_reach_the_topic_and_whoever_is_named(self):
        stack = Stack(AlarmEmail="ops@example.com")
        (subscription,) = stack.of("AWS::SNS::Subscription").values()
        self.assertEqual(
            subscription, {"TopicArn": "${AlarmTopic}", "Protocol": "email", "Endpoint": "ops@example.com"}
        )
        self.assertFalse(Stack().of("AWS::SNS::Subscription"))
        (statement,) = Stack().resources["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertEqual(statement["Principal"], {"Service": "cloudwatch.amazonaws.com"})
        self.assertEqual(statement["Condition"], ALARMS_OF_THIS_STACK)

    def test_the_dashboard_shows_every_metric_and_every_alarm(self):
        stack = Stack()
        shown = {metric for widget in widgets(stack) for _, metric, _ in graphed(widget)}
        searched = "".join(str(widget["properties"].get("metrics")) for widget in widgets(stack))
        self.assertIn('{"wechat-authorizer",ComponentAppid,Errcode} MetricName="Refusals"', searched)
        self.assertLessEqual(set(METRICS) - {"Refusals"}, shown)
        alarms = [arn for widget in widgets(stack) for arn in widget["properties"].get("alarms", [])]
        self.assertEqual(alarms, [f"${{{name}.Arn}}" for name in stack.of("AWS::CloudWatch::Alarm")])

    def test_the_dashboard_leads_to_every_log(self):
        stack = Stack()
        linked = re.findall(r"log-group/(\S+?)\)", json.dumps(widgets(stack)))
        there = [group["LogGroupName"] for group in stack.of("AWS::Logs::LogGroup").values()]
        self.assertEqual(sorted(link.replace("$252F", "/") for link in linked), sorted(there))

    def test_the_dashboard_s_graphs_stand_side_by_side(self):
        taken = set()
        for widget in widgets(Stack()):
            area = itertools.product(
                range(widget["x"], widget["x"] + widget["width"]), range(widget["y"], widget["y"] + widget["height"])
            )
            for cell in area:
                self.assertNotIn(cell, taken)
                self.assertLess(cell[0], 24)
                taken.add(cell)
            if widget["type"] == "metric":
                self.assertEqual(widget["properties"]["region"], REGION)
                self.assertIn("period", widget["properties"])

    def test_functions_are_traced_where_x_ray_is_and_their_metrics_are_not_dropped(self):
        for stack, mode in (
            (Stack(), "Active"),
            (Stack(Tracing="off"), "PassThrough"),
            (Stack(region="cn-north-1"), "PassThrough"),
        ):
            for function in stack.functions().values():
                self.assertEqual(function["TracingConfig"], {"Mode": mode})
                self.assertEqual(function["LoggingConfig"]["ApplicationLogLevel"], "INFO")


def snake(name):
    """A function's name as its module has it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def named(section, alarms):
    """What the tables of a document's section explain: the names in their first cells, and alarms wherever they stand."""
    names = set()
    for row in re.findall(r"^\| (.+) \|$", section, flags=re.MULTILINE):
        first = row.split(" | ")[0]
        names |= {name for name in re.findall(r"`(\w+)`", row) if alarms and name.endswith("Alarm")}
        # The rows of one function, endpoint or errcode name it by a word in lower case.
        names |= {name for name in re.findall(r"`(\w+)`", first) if not alarms or name[0].isupper()}
    return names


class Form(unittest.TestCase):
    def test_every_parameter_and_output_says_what_it_is_for(self):
        for name, parameter in TEMPLATE["Parameters"].items():
            self.assertGreater(len(parameter.get("Description", "")), 40, name)
        for name, output in TEMPLATE["Outputs"].items():
            self.assertGreater(len(output.get("Description", "")), 20, name)
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(grouped), sorted(TEMPLATE["Parameters"]))

    def test_the_documents_explain_every_name_and_none_that_is_gone(self):
        variables = set(re.findall(r'"((?!AWS_)[A-Z]+_[A-Z_]+)"', (ROOT / "src" / "config.rs").read_text(encoding="utf-8")))
        self.assertIn("COMPONENT_APPID", variables)
        doctor = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "doctor").iterdir())
        checks = set(re.findall(r'(?:const (?!NO_)\w+: &str = |bounded\(|let name = |Check::\w+\(\s*)"(\w+)"', doctor))
        self.assertGreater(len(checks), 15)
        explained = (
            ("deploy.md", ("## Parameters", "## 参数"), set(TEMPLATE["Parameters"])),
            ("deploy.md", ("## Outputs", "## 输出"), set(TEMPLATE["Outputs"])),
            ("deploy.md", ("## Variables", "## 变量"), variables),
            ("deploy.md", ("## The functions", "## 函数"), {snake(name) for name in FUNCTIONS}),
            ("troubleshoot.md", ("## Doctor", "## 用 doctor 自检"), checks),
            ("troubleshoot.md", ("## Alarms", "## 告警"), set(Stack().of("AWS::CloudWatch::Alarm"))),
            ("troubleshoot.md", ("## Metrics", "## 指标"), set(METRICS)),
        )
        for document, headings, names in explained:
            for folder, heading in zip(("docs", "docs/zh-CN"), headings):
                text = (ROOT / folder / document).read_text(encoding="utf-8")
                section = text.split(f"\n{heading}\n")[1].split("\n## ")[0]
                self.assertEqual(named(section, alarms="larm" in heading or "告警" in heading), names, f"{folder}/{document} {heading}")

    def test_names_fit_for_stack_names_up_to_54_characters(self):
        longest = {
            "AWS::Scheduler::ScheduleGroup": ("Name", 64),
            "AWS::AppConfig::Application": ("Name", 64),
            "AWS::Scheduler::Schedule": ("Name", 64),
            "AWS::Pipes::Pipe": ("Name", 64),
            "AWS::Events::EventBus": ("Name", 256),
            "AWS::KMS::Alias": ("AliasName", 256),
            "AWS::Logs::LogGroup": ("LogGroupName", 512),
            "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
            "AWS::SNS::Topic": ("DisplayName", 100),
        }
        self.assertGreater(len(Stack(name="s" * 55).resources["Schedules"]["Properties"]["Name"]), 64)
        stack = Stack(name="s" * 54, region="ap-southeast-1")
        for resource in stack.resources.values():
            if resource["Type"] in longest:
                name, limit = longest[resource["Type"]]
                self.assertLessEqual(len(resource["Properties"][name]), limit, resource["Properties"][name])
        for role in stack.of("AWS::IAM::Role").values():
            self.assertNotIn("RoleName", role)  # CAPABILITY_IAM is enough.

    def test_the_template_is_far_from_cloudformation_s_limits(self):
        self.assertLess(len(TEMPLATE["Resources"]), 250)
        self.assertLess(len(json.dumps(TEMPLATE, ensure_ascii=False).encode()), 500_000)

    def test_the_cost_table_counts_what_is_billed_by_the_month(self):
        stack = Stack()
        alarms, pipes = (len(stack.of(f"AWS::{what}")) for what in ("CloudWatch::Alarm", "Pipes::Pipe"))
        self.assertEqual(pipes, 2)
        for document, row, reads in (
            ("docs/deploy.md", f"| alarms, {alarms} × $0.10 | ${alarms / 10:.2f} |", "| two pipes' reads"),
            ("docs/zh-CN/deploy.md", f"| 告警，{alarms} × $0.10 | ${alarms / 10:.2f} |", "| 两个管道"),
        ):
            text = (ROOT / document).read_text(encoding="utf-8")
            self.assertIn(row, text)
            self.assertIn(reads, text)

    def test_every_exception_from_the_scanner_has_a_reason(self):
        for name, resource in TEMPLATE["Resources"].items():
            for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
                self.assertGreater(len(exception.get("comment", "")), 20, name)

    def test_functions_share_one_build(self):
        functions = [r for r in TEMPLATE["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
        self.assertEqual(len({json.dumps(f["Metadata"].get("BuildProperties")) for f in functions}), 1)
        for function in functions:
            self.assertEqual(function["Properties"]["Runtime"], "provided.al2023")


# ---- What is deployed with each choice of parameters, for those who know AWS's own rules.


def forms():
    """Each form by its name: the parameters, and the region."""
    networks = {"none": {}, "existing": EXISTING, "created": CREATED}
    domains = {"own": {}, "zone": ZONE, "certificate": CERTIFICATE}
    for (network, given), (domain, named), region in itertools.product(
        networks.items(), domains.items(), (REGION, "cn-north-1")
    ):
        certificate = {"CertificateArn": named["CertificateArn"].replace("us-east-1", region)} if domain == "certificate" else {}
        partition = certificate and {"CertificateArn": certificate["CertificateArn"].replace("arn:aws:", ARN[region])}
        yield f"{network}-{domain}-{region}", {"region": region, **given, **named, **partition, "AlarmEmail": "a@example.com"}
    for name, parameters in (
        ("one-nat-gateway", {**CREATED, "NatGateways": 1}),
        ("zones", {**CREATED, "Zones": "use1-az4,use1-az6"}),
        ("small-account", {f"{name}Concurrency": 0 for name in CONCURRENCY}),
        ("without-pipe", {"PublishChanges": "false"}),
        ("without-traces", {"Tracing": "off"}),
        ("behind-a-firewall", {**ZONE, "DefaultEndpoint": "disabled", "PublicBaseUrl": "https://cdn.example.com"}),
        ("longest-name", {"name": "s" * 54, **CREATED, **SHIFT}),
        ("traffic-shift-us-east-1", SHIFT),
        ("traffic-shift-cn-north-1", {"region": "cn-north-1", **SHIFT}),
    ):
        yield name, parameters


ARN = {REGION: "arn:aws:", "cn-north-1": "arn:aws-cn:"}


def concrete(stack):
    """One template without parameters, conditions and nested stacks, as CloudFormation sees it when it begins."""
    names = {name for name, resource in stack.resources.items() if resource["Type"] != "AWS::CloudFormation::Stack"}

    def referring(value):
        if isinstance(value, list):
            return [referring(element) for element in value]
        if isinstance(value, dict):
            return {key: referring(element) for key, element in value.items()}
        if not isinstance(value, str):
            return value
        if match := re.fullmatch(r"\$\{(\w+)\}", value):
            return {"Ref": match[1]} if match[1] in names else value
        if match := re.fullmatch(r"\$\{(\w+)\.([\w.]+)\}", value):
            return {"Fn::GetAtt": [match[1], match[2]]} if match[1] in names else value
        found = {name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", value)}
        return {"Fn::Sub": value} if found & names else value

    resources = {}
    for name in names:
        resource = stack.resources[name]
        kept = {key: resource[key] for key in ("Type", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy") if key in resource}
        waits = [other for other in listed(resource.get("DependsOn", [])) if other in names]
        resources[name] = {**kept, "Properties": referring(resource["Properties"]), **({"DependsOn": waits} if waits else {})}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


# The physical names that AWS would give, for the simulation of its decisions.
PHYSICAL = {
    "AuthorizersTable.Arn": "dynamodb:{region}:{account}:table/wechat-authorizer-AuthorizersTable-1A2B3C",
    "AuthorizersTable.StreamArn": "dynamodb:{region}:{account}:table/wechat-authorizer-AuthorizersTable-1A2B3C/stream/2026-01-01T00:00:00.000",
    "PushesTable.Arn": "dynamodb:{region}:{account}:table/wechat-authorizer-PushesTable-1A2B3C",
    "PushesTable.StreamArn": "dynamodb:{region}:{account}:table/wechat-authorizer-PushesTable-1A2B3C/stream/2026-01-01T00:00:00.000",
    "PlatformTable.Arn": "dynamodb:{region}:{account}:table/wechat-authorizer-PlatformTable-1A2B3C",
    "TablesKey.Arn": "kms:{region}:{account}:key/11111111-2222-3333-4444-555555555555",
    "ComponentSecret.Id": "secretsmanager:{region}:{account}:secret:ComponentSecret-abcdef",
    "FailedRuns.Arn": "sqs:{region}:{account}:wechat-authorizer-FailedRuns-1A2B3C",
    "UnpublishedChanges.Arn": "sqs:{region}:{account}:wechat-authorizer-UnpublishedChanges-1A2B3C",
    "ChangesBus.Arn": "events:{region}:{account}:event-bus/wechat-authorizer-changes",
    "ChangesBus": "events:{region}:{account}:event-bus/wechat-authorizer-changes",
    "Schedules.Arn": "scheduler:{region}:{account}:schedule-group/wechat-authorizer-schedules",
}


def with_arns(stack, value):
    """The value with ARNs in place of references."""
    region, account = stack.values["AWS::Region"], stack.values["AWS::AccountId"]
    text = json.dumps(value)
    for name, arn in PHYSICAL.items():
        text = text.replace(f"${{{name}}}", ARN[region] + arn.format(region=region, account=account))
    for name in stack.functions():
        arn = f"{ARN[region]}lambda:{region}:{account}:function:wechat-authorizer-{name}-1A2B3C"
        text = text.replace(f"${{{name}.Arn}}", arn)
    for name in stack.of("AWS::Logs::LogGroup"):
        arn = f"{ARN[region]}logs:{region}:{account}:log-group:/aws/lambda/{name}:*"
        text = text.replace(f"${{{name}.Arn}}", arn)
    return json.loads(text)


def decisions(stack):
    """What IAM must decide: whose policies, the action, the resource, its context, and whether it is allowed."""
    region = stack.values["AWS::Region"]
    through = {"kms:ViaService": f"dynamodb.{region}.amazonaws.com"}
    by_code = {"lambda:SourceFunctionArn": "${TokenFunction.Arn}"}
    service = {"aws:PrincipalAccount": "123456789012"}
    china = region.startswith("cn-")
    key, secret = "${TablesKey.Arn}", "${ComponentSecret.Id}"

    def policies(role):
        properties = stack.resources[role]["Properties"]
        managed = [stack.resources[name[2:-1]]["Properties"] for name in properties.get("ManagedPolicyArns", [])]
        documents = [policy["PolicyDocument"] for policy in [*properties.get("Policies", []), *managed]]
        return with_arns(stack, documents)

    def decision(documents, action, resource, allowed, context={}):
        resource = "${AuthorizersTable.Arn}/index/refresh-due" if resource == DUE else resource
        asked = {"action": action, "resource": resource, "context": {**service, **context}, "allowed": allowed}
        if resource == key:
            asked["resourcePolicy"] = stack.resources["TablesKey"]["Properties"]["KeyPolicy"]
        return {"policies": documents, **with_arns(stack, asked)}

    for function in stack.functions().values():
        own = PERMISSIONS[function["Handler"]]
        documents = policies(function["Role"][2:-5])
        for table in (AUTHORIZERS, DUE, PLATFORM, PENDING, PUSHES):
            for action in sorted(RECORD | DESCRIBE | {f"dynamodb:{a}" for a in ("Query", "Scan", "BatchGetItem", "DeleteItem", "DeleteTable")}):
                # Nothing but a query has an index as its resource.
                if table not in (DUE, PENDING) or action == "dynamodb:Query":
                    yield decision(documents, action, table, action in own.get(table, set()))
        yield decision(documents, "sqs:SendMessage", FAILED, FAILED in own)
        yield decision(documents, "kms:Decrypt", key, True, through)
        yield decision(documents, "kms:Decrypt", key, True, {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"})
        yield decision(documents, "kms:Decrypt", key, False, {"kms:ViaService": f"s3.{region}.amazonaws.com"})
        yield decision(documents, "kms:GenerateDataKey", key, False, through)
        yield decision(documents, "secretsmanager:GetSecretValue", secret, True)
        yield decision(documents, "secretsmanager:PutSecretValue", secret, False)
        yield decision(documents, "xray:PutTraceSegments", "*", stack.values["Tracing"] == "on" and not china)
        for action in sorted(INTERFACES):
            yield decision(documents, action, "*", True)
            yield decision(documents, action, "*", False, by_code)
    reads = {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
    reader = with_arns(stack, [stack.resources["ReadAccessTokensPolicy"]["Properties"]["PolicyDocument"]])
    some = {"dynamodb:Attributes": ["authorizer_appid", "component_appid", "authorizer_access_token"], **reads}
    all_of_it = {"dynamodb:Attributes": ["authorizer_appid", "authorizer_refresh_token"], **reads}
    for action in ("dynamodb:GetItem", "dynamodb:BatchGetItem"):
        yield decision(reader, action, AUTHORIZERS, True, some)
        yield decision(reader, action, AUTHORIZERS, False, all_of_it)
        yield decision(reader, action, AUTHORIZERS, False)
        yield decision(reader, action, PLATFORM, False, some)
    yield decision(reader, "dynamodb:Query", AUTHORIZERS, False, some)
    yield decision(reader, "kms:Decrypt", key, True, through)
    for policy, function in (("InvokeTokenPolicy", "TokenFunction"), ("InvokeLaunchPolicy", "LaunchFunction"),
                             ("InvokeComponentTokenPolicy", "ComponentTokenFunction")):
        documents = with_arns(stack, [stack.resources[policy]["Properties"]["PolicyDocument"]])
        for other in stack.functions():
            yield decision(documents, "lambda:InvokeFunction", live(other), other == function)
            yield decision(documents, "lambda:InvokeFunction", f"${{{other}.Arn}}", False)
    starts = policies("SchedulesRole")
    for function in stack.functions():
        started = function in ("RefreshFunction", "ReconcileFunction")
        yield decision(starts, "lambda:InvokeFunction", live(function), started)
        yield decision(starts, "lambda:InvokeFunction", f"${{{function}.Arn}}", False)
    yield decision(starts, "sqs:SendMessage", FAILED, True)
    if "ChangesPipeRole" in stack.resources:
        pipe = policies("ChangesPipeRole")
        for action in ("DescribeStream", "GetRecords", "GetShardIterator"):
            for stream in ("${AuthorizersTable.StreamArn}", "${PushesTable.StreamArn}"):
                yield decision(pipe, f"dynamodb:{action}", stream, True)
        yield decision(pipe, "events:PutEvents", "${ChangesBus.Arn}", True)
        yield decision(pipe, "sqs:SendMessage", "${UnpublishedChanges.Arn}", True)
        yield decision(pipe, "sqs:SendMessage", FAILED, False)
        yield decision(pipe, "kms:Decrypt", key, True, through)
        for table in (AUTHORIZERS, PUSHES):
            yield decision(pipe, "dynamodb:GetItem", table, False)
    if "TrafficShiftRole" not in stack.resources:
        return
    shifts = policies("TrafficShiftRole")
    for function in stack.functions():
        for arn in (f"${{{function}.Arn}}", live(function)):
            for action in ("GetAlias", "UpdateAlias"):
                yield decision(shifts, f"lambda:{action}", arn, function in SHIFTED)
            yield decision(shifts, "lambda:InvokeFunction", arn, False)
    alarm = f"{ARN[region]}cloudwatch:{region}:123456789012:alarm:"
    for name in ("*", "wechat-authorizer-FailuresAlarm"):
        yield decision(shifts, "cloudwatch:DescribeAlarms", alarm + name, True)
        yield decision(shifts, "cloudwatch:SetAlarmState", alarm + name, False)


def with_shift(value):
    """The value where it is certain that there is a shift of traffic. SAM has made its resources for that, and the linter would
    take it for possible that there is none."""
    if isinstance(value, list):
        return [with_shift(element) for element in value if element != "TrafficShift"]
    if not isinstance(value, dict):
        return value
    if value.get("Fn::If", [None])[0] == "ShiftsTraffic":
        return with_shift(value["Fn::If"][1])
    gone = ("TrafficShift", "ShiftsTraffic")
    return {key: with_shift(element) for key, element in value.items() if key not in gone and element != "ShiftsTraffic"}


def write_templates(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for file, template in {"template": TEMPLATE, "traffic-shift": SHIFTING}.items():
        own = {name: without_nested(resource) for name, resource in template["Resources"].items()}
        for name in nested(template):
            own[name]["Properties"] = {**own[name]["Properties"], "TemplateURL": f"{name}.json"}
        # SAM has read the mapping, and nothing else does.
        rest = {key: value for key, value in template.items() if key != "Mappings"}
        if template is SHIFTING:
            own, rest = with_shift(own), with_shift(rest)
        for name, written in {file: {**rest, "Resources": own}, **nested(template)}.items():
            (directory / f"{name}.json").write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")


def write_forms(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, parameters in forms():
        stack = Stack(**parameters)
        assert not stack.refused, (name, stack.refused)
        form = {"region": stack.values["AWS::Region"], "template": concrete(stack), "decisions": list(decisions(stack))}
        (directory / f"{name}.json").write_text(json.dumps(form), encoding="utf-8")


def not_ascii(text):
    return [line for line in text.splitlines() if not line.isascii() and not line.lstrip().startswith("#")]


class Files(unittest.TestCase):
    def test_what_cloudformation_keeps_is_ascii(self):
        # It would show question marks.
        self.assertEqual(not_ascii("# 中\nA: 中\nB: b"), ["A: 中"])
        for file in ("template.yaml", "alarms.yaml", "network.yaml"):
            self.assertEqual(not_ascii((ROOT / file).read_text(encoding="utf-8")), [], file)


# ---- Each check can fail: what to break, and the check that must notice.


def broken(path, value):
    """The template with one value replaced, added or, with NOTHING, removed. A number in the path is an index."""

    def change(template):
        *parents, last = path
        template = next((n for n in nested(template).values() if owns(n, path)), template)
        for key in parents:
            template = template[key]
        if value is NOTHING:
            del template[last]
        elif last == "+":
            template.append(value)
        else:
            template[last] = value

    return change


def shifting(change):
    """The same of the template with a shift of traffic."""
    return lambda _template: change(SHIFTING)


def in_source(change):
    """The same of the template before SAM's transformation."""
    return lambda _template: change(SOURCE)


def owns(template, path):
    return path[0] in template and len(path) > 1 and path[1] in template[path[0]]


def resource(name, *path):
    return ("Resources", name, "Properties", *path)


def statement(role, index, *path):
    return resource(role, "Policies", 0, "PolicyDocument", "Statement", index, *path)


def shared(index, *path):
    return resource("FunctionsPolicy", "PolicyDocument", "Statement", index, *path)


def dashboard(old, new):
    def change(template):
        alarms = nested(template)["AlarmsStack"]
        body = alarms["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        assert old in body[0], old
        body[0] = body[0].replace(old, new, 1)

    return change


def of_a_version(function, *path_and_value):
    """A version's logical name ends with a digest."""
    *path, value = path_and_value

    def change(template):
        (name,) = [name for name in template["Resources"] if name.startswith(f"{function}Version")]
        broken(("Resources", name, *path), value)(template)

    return change


UNQUALIFIED = {"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${VisitsFunction.Arn}/invocations"}
WILDCARD = {"Effect": "Allow", "Action": ["dynamodb:*"], "Resource": "${AuthorizersTable.Arn}", "Sid": "X"}
URL = {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE"}}
INGRESS = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}]
MUTATIONS = [
    ("no_action_is_a_wildcard", broken(statement("VisitsFunctionRole", "+"), WILDCARD)),
    ("no_resource_is_a_wildcard", broken(statement("TokenFunctionRole", 1, "Resource"), "*")),
    ("no_resource_is_a_wildcard", broken(shared(2, "Fn::If", 1, "Action", "+"), "xray:GetTraceSummaries")),
    (
        "each_function_may_do_what_it_does",
        broken(statement("VisitsFunctionRole", 1, "Action", "+"), "dynamodb:DeleteItem"),
    ),
    ("each_function_may_do_what_it_does", broken(statement("RefreshFunctionRole", 1), NOTHING)),
    (
        "each_function_may_do_what_it_does",
        broken(statement("LaunchFunctionRole", 2, "Action", "+"), "dynamodb:UpdateItem"),
    ),
    ("each_function_has_a_role", broken(resource("EventsFunction", "Role"), {"Fn::GetAtt": ["VisitsFunctionRole", "Arn"]})),
    ("each_function_has_a_role", broken(resource("DoctorFunctionRole", "ManagedPolicyArns", "+"), "AdministratorAccess")),
    (
        "each_role_is_for_one_service",
        shifting(broken(
            resource("TokenFunctionRole", "AssumeRolePolicyDocument", "Statement", 0, "Principal", "Service"),
            "ec2.amazonaws.com",
        )),
    ),
    (
        "each_role_is_for_one_service",
        shifting(broken(
            resource("TrafficShiftRole", "AssumeRolePolicyDocument", "Statement", 0, "Condition"), {"StringEquals": {}})),
    ),
    ("no_resource_is_a_wildcard", shifting(broken(statement("TrafficShiftRole", 0, "Resource", "+"), "*"))),
    ("no_resource_is_a_wildcard", shifting(broken(statement("TrafficShiftRole", 1, "Resource"), "*"))),
    ("the_schedules_start", broken(statement("SchedulesRole", 0, "Resource", "+"), "${DoctorFunction.Arn}")),
    ("queues_are_spoken_to", broken(("Resources", "FailedRunsPolicy", "Properties", "PolicyDocument", "Statement", 0), NOTHING)),
    ("the_code_of_a_function_may_not", broken(shared(4), NOTHING)),
    (
        "the_key_decrypts_only",
        broken(shared(1, "Condition", "StringEquals", "kms:ViaService", "+"), "*.amazonaws.com"),
    ),
    (
        "services_cannot_read_refresh",
        broken(
            resource(
                "ReadAccessTokensPolicy",
                "PolicyDocument",
                "Statement",
                0,
                "Condition",
                "ForAllValues:StringEquals",
                "dynamodb:Attributes",
                "+",
            ),
            "authorizer_refresh_token",
        ),
    ),
    (
        "each_policy_for_services",
        broken(
            resource("InvokeTokenPolicy", "PolicyDocument", "Statement", 0, "Resource"),
            {"Fn::GetAtt": ["LaunchFunction", "Arn"]},
        ),
    ),
    (
        "each_policy_for_services",
        broken(resource("InvokeLaunchPolicy", "PolicyDocument", "Statement", 0, "Action", "+"), "lambda:GetFunction"),
    ),
    (
        "the_endpoint_of_dynamodb",
        broken(resource("DynamoDbEndpoint", "PolicyDocument", "Statement", 0, "Action", 0), "dynamodb:PutItem"),
    ),
    ("tables_secret_and_key_outlive", broken(("Resources", "PlatformTable", "DeletionPolicy"), "Delete")),
    ("tables_secret_and_key_outlive", broken(("Resources", "TablesKey", "DependsOn"), NOTHING)),
    ("tables_are_protected", broken(resource("AuthorizersTable", "DeletionProtectionEnabled"), False)),
    (
        "tables_are_protected",
        broken(resource("PlatformTable", "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"), False),
    ),
    ("no_record_of_a_merchant", broken(resource("AuthorizersTable", "TimeToLiveSpecification"), {"Enabled": True})),
    ("the_key_rotates", broken(resource("TablesKey", "EnableKeyRotation"), False)),
    ("the_key_rotates", broken(resource("TablesKey", "KeyPolicy", "Statement", 1, "Condition"), NOTHING)),
    (
        "secrets_are_in_secrets_manager",
        broken(resource("TokenFunction", "Environment", "Variables", "APP_SECRET"), "x"),
    ),
    (
        "each_setting_of_launches",
        broken(resource("VisitsFunction", "Environment", "Variables", "REQUIRE_LAUNCH"), "false"),
    ),
    (
        "each_setting_of_launches",
        broken(resource("VisitsFunction", "Environment", "Variables", "UNVOUCHED_PER_DAY"), NOTHING),
    ),
    ("each_setting_of_launches", broken(("Parameters", "UnvouchedPerDay", "Default"), 10_000)),
    (
        "a_return_address_of_a_launch",
        broken(("Parameters", "ReturnUrlPrefix", "AllowedPattern"), "^(https?://\\S+)?$"),
    ),
    ("queues_and_the_topic", broken(resource("AlarmTopic", "KmsMasterKeyId"), "alias/aws/sns")),
    ("there_are_six_public_routes", broken(resource("CallbackHeadRoute", "RouteKey"), "ANY /callback")),
    ("nothing_else_is_reached", broken(("Resources", "Open"), URL)),
    (
        "nothing_else_is_reached",
        broken(resource("AlarmTopicPolicy", "PolicyDocument", "Statement", 0, "Principal"), "*"),
    ),
    ("only_the_api_s_own_routes", broken(resource("CallbackPermission", "Principal"), "*")),
    ("the_api_calls_nothing", broken(("Resources", "VisitsIntegration", "DependsOn"), ["CallbackPermission"])),
    ("every_function_has_the_alias", broken(resource("VisitsIntegration", "IntegrationUri"), UNQUALIFIED)),
    ("every_function_has_the_alias", broken(resource("EventsPermission", "FunctionName"), {"Ref": "EventsFunction"})),
    (
        "every_function_has_the_alias",
        broken(
            resource("InvokeTokenPolicy", "PolicyDocument", "Statement", 0, "Resource"),
            {"Fn::GetAtt": ["TokenFunction", "Arn"]},
        ),
    ),
    (
        "every_function_has_the_alias",
        broken(resource("RefreshFunctionEveryMinute", "Target", "Arn"), {"Fn::GetAtt": ["RefreshFunction", "Arn"]}),
    ),
    ("every_function_has_the_alias", broken(("Outputs", "TokenFunctionName", "Value"), {"Ref": "TokenFunction"})),
    ("every_function_has_the_alias", broken(resource("RefreshFunctionEventInvokeConfig", "Qualifier"), "$LATEST")),
    ("every_function_has_the_alias", broken(("Resources", "DoctorFunctionAliaslive"), NOTHING)),
    (
        "a_change_of_any_property",
        in_source(broken(resource("TokenFunction", "AutoPublishAliasAllProperties"), NOTHING)),
    ),
    (
        "a_change_of_any_parameter",
        broken(resource("TokenFunction", "Environment", "Variables", "ALARM_EMAIL"), {"Ref": "AlarmEmail"}),
    ),
    ("a_change_of_any_parameter", broken(resource("Settings", "Content"), {"Fn::Sub": "${ComponentAppid}"})),
    (
        "a_change_of_any_parameter",
        broken(resource("TokenFunction", "Environment", "Variables", "SETTINGS_VERSION"), NOTHING),
    ),
    ("a_change_of_any_parameter", of_a_version("TokenFunction", "Properties", "Description", "1")),
    ("no_version_outlives", of_a_version("TokenFunction", "DeletionPolicy", "Retain")),
    (
        "there_is_codedeploy_only",
        broken(("Resources", "Another"), {"Type": "AWS::CodeDeploy::Application", "Properties": {}}),
    ),
    ("there_is_codedeploy_only", broken(("Resources", "TrafficShiftRole", "Condition"), NOTHING)),
    ("there_is_codedeploy_only", broken(("Mappings", "TrafficShifts", "AllAtOnce", "Enabled"), "true")),
    ("there_is_codedeploy_only", broken(("Parameters", "TrafficShift", "AllowedValues", "+"), "Linear10PercentEvery3Minutes")),
    ("a_shift_of_traffic_is_for", shifting(broken(("Resources", "TokenFunctionAliaslive", "UpdatePolicy"), NOTHING))),
    (
        "a_shift_of_traffic_is_for",
        shifting(broken(resource("TokenFunctionDeploymentGroup", "AutoRollbackConfiguration", "Events"), [])),
    ),
    (
        "alarms_that_exist",
        shifting(broken(
            resource("TokenFunctionDeploymentGroup", "AlarmConfiguration", "Alarms", 0, "Name"), "wechat-authorizer-Alarm")),
    ),
    ("alarms_that_exist", shifting(broken(("Resources", "FailuresAlarm"), NOTHING))),
    (
        "codedeploy_moves_these",
        shifting(broken(statement("TrafficShiftRole", 0, "Resource", "+"), {"Fn::GetAtt": ["RefreshFunction", "Arn"]})),
    ),
    ("every_route_is_throttled", broken(resource("ApiStage", "RouteSettings", "GET /callback"), NOTHING)),
    ("every_route_is_throttled", broken(("Resources", "ApiStage", "DependsOn"), [])),
    ("every_role_carries_the_boundary", shifting(broken(resource("TokenFunctionRole", "PermissionsBoundary"), NOTHING))),
    ("the_boundary_has_the_actions", shifting(broken(statement("TokenFunctionRole", 0, "Action", "+"), "s3:GetObject"))),
    ("doctor_and_the_console", broken(resource("DoctorFunction", "Environment", "Variables", "EVENTS_PATH"), "events")),
    ("doctor_and_the_console", broken(resource("DoctorFunction", "Environment", "Variables", "MESSAGES_PATH"), "messages")),
    ("a_flood_of_one_page", broken(resource("ApiStage", "RouteSettings", "GET /callback", "ThrottlingRateLimit"), 100)),
    ("concurrency_is_kept", broken(resource("EventsFunction", "ReservedConcurrentExecutions"), 5)),
    ("access_logs_have_no_query", broken(resource("ApiStage", "AccessLogSettings", "Format"), "$context.path")),
    ("the_pipes_are_made_last", broken(("Resources", "ChangesPipe", "DependsOn"), "ChangesBus")),
    ("the_pipes_are_made_last", broken(("Resources", "PushesPipe", "Condition"), NOTHING)),
    ("every_log_group_forgets", broken(resource("DoctorLogs", "RetentionInDays"), NOTHING)),
    (
        "the_pipes_show_no_tokens",
        broken(resource("PushesPipe", "LogConfiguration", "IncludeExecutionData"), ["ALL"]),
    ),
    (
        "the_outbox_is_published",
        broken(resource("PushesPipe", "SourceParameters", "FilterCriteria", "Filters", 0, "Pattern"), "{}"),
    ),
    (
        "the_pipe_publishes",
        broken(
            resource("ChangesPipe", "SourceParameters", "FilterCriteria", "Filters", 0, "Pattern"),
            '{"dynamodb":{"NewImage":{"change":{"S":["authorized"]}}}}',
        ),
    ),
    ("none_makes_no_network", broken(("Resources", "NetworkStack", "Condition"), NOTHING)),
    ("existing_uses_what_is_given", broken(resource("TokenFunction", "VpcConfig"), NOTHING)),
    ("created_puts_the_functions", broken(resource("PrivateSubnetB", "AvailabilityZoneId", "Fn::If", 1), "a")),
    ("private_subnets_go_out", broken(resource("PrivateDefaultRouteB", "NatGatewayId"), {"Ref": "NatGatewayA"})),
    ("the_addresses_are_an_output", broken(("Outputs", "AllowList", "Value"), {"Ref": "NatAddressA"})),
    ("https_goes_out", broken(resource("FunctionsSecurityGroup", "SecurityGroupIngress"), INGRESS)),
    ("zones_do_not_depend", broken(resource("PublicSubnetA", "AvailabilityZone"), {"Fn::GetAZs": ""})),
    ("wechat_is_called_by_ipv4", broken(resource("TokenFunction", "VpcConfig"), {"Ipv6AllowedForDualStack": True})),
    ("a_network_that_is_half_given", broken(("Rules", "ExistingNetwork"), NOTHING)),
    ("a_network_that_is_half_given", broken(("Rules", "OtherNetwork"), NOTHING)),
    (
        "everything_names_the_same_origin",
        broken(("Outputs", "EventsUrl", "Value"), {"Fn::Sub": "${Api.ApiEndpoint}/events"}),
    ),
    (
        "everything_names_the_same_origin",
        broken(resource("VisitsFunction", "Environment", "Variables", "PUBLIC_BASE_URL"), {"Ref": "PublicBaseUrl"}),
    ),
    (
        "everything_names_the_same_origin",
        broken(resource("LaunchFunction", "Environment", "Variables", "PUBLIC_BASE_URL"), {"Ref": "PublicBaseUrl"}),
    ),
    (
        "a_certificate_is_made",
        broken(resource("ApiDomain", "DomainNameConfigurations", 0, "SecurityPolicy"), "TLS_1_0"),
    ),
    ("the_domain_leads_to_the_api", broken(("Resources", "ApiDomainRecord", "Condition"), "HasDomain")),
    ("the_api_s_own_endpoint", broken(("Conditions", "DefaultEndpointDisabled"), {"Fn::Equals": ["a", "b"]})),
    ("a_domain_that_cannot_work", broken(("Rules", "CustomDomain"), NOTHING)),
    ("a_domain_that_cannot_work", broken(("Rules", "NoCustomDomain", "Assertions", 1), NOTHING)),
    (
        "no_partition_is_written_down",
        broken(resource("TokenFunctionRole", "ManagedPolicyArns", 0), "arn:aws:iam::aws:policy/X"),
    ),
    ("china_has_its_own", broken(("Conditions", "InChina"), {"Fn::Equals": ["a", "b"]})),
    ("what_must_not_happen_unseen", broken(("Resources", "PendingAlarm"), NOTHING)),
    ("what_must_not_happen_unseen", broken(("Resources", "UnexchangedAlarm"), NOTHING)),
    (
        "what_must_not_happen_unseen",
        broken(resource("QuotaUsedQueryAuthAlarm", "Dimensions", 1, "Value"), "api_authorizer_token"),
    ),
    ("a_slow_function_is_noticed", broken(resource("TokenSlowAlarm", "Threshold"), 15000)),
    ("every_alarm_and_graph", broken(resource("SchedulesAlarm", "Dimensions", 0, "Value"), "default")),
    ("alarms_sound_at_the_number", broken(resource("QuotaUsedQueryAuthAlarm", "Threshold"), 90)),
    ("every_alarm_and_graph", dashboard('"Evidence", "browser"', '"State", "browser"')),
    ("every_alarm_and_graph", broken(resource("AllowListAlarm", "Dimensions", 1, "Name"), "Code")),
    ("every_alarm_and_graph", dashboard('"Door", "callback"', '"Gate", "callback"')),
    ("every_alarm_says_what_to_do", broken(resource("QuotaAlarm", "OKActions"), [])),
    ("a_missing_ticket_is_an_alarm", broken(resource("TicketAlarm", "TreatMissingData"), "missing")),
    ("no_function_is_left_out", broken(("Resources", "OneMoreFunction"), {"Type": "AWS::Lambda::Function"})),
    (
        "alarms_reach_the_topic",
        broken(resource("AlarmTopicPolicy", "PolicyDocument", "Statement", 0, "Condition"), {}),
    ),
    ("the_dashboard_shows_every", dashboard('"${QuotaAlarm.Arn}",', "")),
    ("the_cost_table_counts", broken(("Resources", "PushesPipe"), NOTHING)),
    ("the_dashboard_leads_to", broken(resource("DoctorLogs", "LogGroupName"), "/aws/lambda/${AWS::StackName}/diagnosis")),
    ("the_dashboard_s_graphs", dashboard('"x": 8, "y": 9', '"x": 7, "y": 9')),
    ("functions_are_traced", broken(resource("TokenFunction", "TracingConfig", "Mode"), "PassThrough")),
    ("every_parameter_and_output", broken(("Outputs", "EventsUrl", "Description"), "")),
    ("the_documents_explain_every_name", broken(("Outputs", "UnheardOf"), {"Description": "x", "Value": "y"})),
    ("the_documents_explain_every_name", lambda template: template["Parameters"].pop("Tracing")),
    (
        "names_fit_for_stack_names",
        broken(resource("Schedules", "Name"), {"Fn::Sub": "${AWS::StackName}-schedule-group"}),
    ),
    ("the_template_is_far_from", lambda t: t["Resources"].update({f"R{i}": {"Type": "X"} for i in range(250)})),
    (
        "every_exception_from_the_scanner",
        broken(("Resources", "FailedRuns", "Metadata", "checkov", "skip", 0, "comment"), ""),
    ),
    (
        "functions_share_one_build",
        broken(("Resources", "TokenFunction", "Metadata", "BuildProperties", "Binary"), "x"),
    ),
]
CHECKS = (Permissions, Boundary, State, Public, Versions, Network, Domain, Partition, Watching, Form)


class EachCheckCanFail(unittest.TestCase):
    def test_a_template_that_is_broken_in_one_place_is_noticed(self):
        global TEMPLATE, SHIFTING, SOURCE
        tests = {
            test.id().rsplit(".test_", 1)[1]: test
            for check in CHECKS
            for test in unittest.defaultTestLoader.loadTestsFromTestCase(check)
        }
        sound, seen = (TEMPLATE, SHIFTING, SOURCE), set()
        for prefix, mutate in MUTATIONS:
            (name,) = [name for name in tests if name.startswith(prefix)]
            TEMPLATE, SHIFTING, SOURCE = copy.deepcopy(sound)
            mutate(TEMPLATE)
            result = unittest.TestResult()
            tests[name].run(result)
            TEMPLATE, SHIFTING, SOURCE = sound
            with self.subTest(name):
                self.assertFalse(result.errors, "the check broke instead of failing")
                self.assertTrue(result.failures, "nobody noticed")
            seen.add(name)
        self.assertEqual(set(tests) - seen, set(), "nothing shows that these can fail")


if __name__ == "__main__":
    program, *arguments = sys.argv
    task, directory = (arguments[0], Path(arguments[1])) if arguments[:1] in (["--write"], ["--forms"]) else ("", None)
    arguments = arguments[2:] if directory else arguments
    file = arguments[0] if arguments else ROOT / "template.yaml"
    SOURCE, TEMPLATE, SHIFTING = parsed(file), transformed(file), transformed(file, **SHIFT)
    if task == "--write":
        write_templates(directory)
    elif task == "--forms":
        write_forms(directory)
    else:
        unittest.main(argv=[program], verbosity=2)
