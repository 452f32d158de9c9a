"""Asks what a first deployment cannot guess, and writes the answers into samconfig.toml. `just setup` then looks whether the
account has what the stack needs, builds, deploys, and says what goes into which field of WeChat's console.
"""

import re
import sys

import preflight
import samconfig

NETWORKS = """\
  WeChat answers only addresses on its allow-list. From where shall the functions call it?
    none      Lambda's own addresses, which change: for trying out. $0
    created   a network of the stack's own with two NAT gateways and fixed addresses: about $73 a month
    existing  your subnets behind a NAT with a fixed address. $0 here
"""
# Parameter, question, what an answer must be, and what is proposed.
QUESTIONS = [
    ("ComponentAppid", "AppID of the third-party platform, as WeChat's console shows it", r"wx[0-9A-Za-z]{16}", ""),
    ("Network", f"{NETWORKS}  Network", r"none|created|existing", "created"),
    ("AlarmEmail", "Who is told when something is wrong: an e-mail address, or - for nobody",
     r"-?|[^@\s]+@[^@\s]+\.[^@\s]+", ""),
    ("PlatformName", "Name of the platform, as merchants know it: at most 30 characters, or - for none",
     r"[^\"\\]{0,30}", ""),
]
MORE = {
    "existing": [
        ("SubnetIds", "Private subnets, separated by commas", r"subnet-[0-9a-f]{8,17}(,subnet-[0-9a-f]{8,17})*", ""),
        ("SecurityGroupIds", "Security groups, separated by commas", r"sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){0,4}", ""),
    ],
}
# Enter alone keeps what is there.
NOTHING = "-"


def ask(question, pattern, proposed):
    while True:
        try:
            answer = input(f"{question}{f' [{proposed}]' if proposed else ''}: ").strip() or proposed
        except EOFError:
            sys.exit("\nNo answer. Nothing was written.")
        if re.fullmatch(pattern, answer):
            return "" if answer == NOTHING else answer
        print("  That is not one.")


def main():
    before = samconfig.overrides("default")
    values = dict(before)
    for name, question, pattern, proposed in QUESTIONS:
        values[name] = ask(question, pattern, values.get(name) or proposed)
        for more in MORE.get(values[name], []):
            values[more[0]] = ask(more[1], more[2], values.get(more[0], ""))
    if values["Network"] != "existing":
        values.update(SubnetIds="", SecurityGroupIds="")
    reserved = samconfig.reserved(samconfig.parameters("default", {}))
    limit = preflight.concurrency_limit()
    if limit is not None and limit < sum(reserved.values()) + preflight.UNRESERVED:
        values.update(dict.fromkeys(reserved, "0"))
        print(f"This account may run {limit} functions at once, too few to reserve some: {', '.join(reserved)} are 0.")
    # For a parameter that the file leaves out, an update of the stack keeps the value that was deployed.
    samconfig.write_overrides({name: value for name, value in values.items() if value or name in before})
    print("samconfig.toml has the answers. Commit it: it holds no secret.")


if __name__ == "__main__":
    main()
