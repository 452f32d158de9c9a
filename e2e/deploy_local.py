"""Leaves the stack deployed to an emulator of AWS on this machine, to be tried in a browser. e2e/deploy-local.sh
installs and builds what this needs.
"""

import sys
import time
import urllib.parse

# The tree stays clean.
sys.dont_write_bytecode = True
from emulator import WORK, Deployment, prepare, with_stack
from programs import ROOT, Failure, free_port, main, say


def lead_browsers(stack):
    """On AWS a browser reaches the API by https and WeChat's pages at WeChat. Here the functions with pages are
    told of the emulator's address and the simulated WeChat, with variables that are no parameters of the template."""
    stack.finish_tables()
    address = urllib.parse.urlsplit(stack.outputs["AuthorizeUrl"])
    name = stack.resources["VisitsFunction"]
    deployed = stack.client("lambda").get_function_configuration(FunctionName=name)["Environment"]
    functions = stack.client("lambda")
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {
        **deployed["Variables"],
        "PUBLIC_BASE_URL": f"{address.scheme}://{address.netloc}",
        "WECHAT_PC_BASE_URL": f"http://{stack.wechat_address}",
        "WECHAT_MOBILE_BASE_URL": f"http://{stack.wechat_address}",
    }})
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    stack.start_wechat()
    stack.put_secret()
    stack.push_ticket()


def stay(stack):
    say(f"""
  Open http://127.0.0.1:{stack.sandbox_port}/

  The launch page is      {stack.outputs["AuthorizeUrl"]}
  The simulated WeChat is http://{stack.wechat_address}
  AWS is                  {stack.endpoint}, for example

    export AWS_ENDPOINT_URL={stack.endpoint} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    aws dynamodb scan --table-name {stack.outputs["AuthorizersTableName"]}
    just doctor

  A browser must take names under .localhost for this machine; Chrome and Firefox do.
  The functions' log is in {(WORK / "emulator.log").relative_to(ROOT)}. Ctrl-C ends everything.
""")
    while all(program.process.poll() is None for program in stack.programs):
        time.sleep(1)
    raise Failure("a program has ended")


def deploy_local():
    prepare()
    # The ports where a person expects them, or others if those are taken.
    stack = Deployment(free_port(1, first=4566), free_port(3, first=9000))
    try:
        with_stack(stack, [Deployment.deploy, lead_browsers, stay])
    except KeyboardInterrupt:
        say("\nended")


if __name__ == "__main__":
    main(deploy_local)
