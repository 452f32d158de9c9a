"""Asks what a first deployment cannot guess, and writes the answers into samconfig.toml. `just setup` then builds, deploys
and says what goes into which field of WeChat's console.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
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
SECTION = "[default.deploy.parameters]"


def ask(question, pattern, proposed):
    while True:
        answer = input(f"{question}{f' [{proposed}]' if proposed else ''}: ").strip() or proposed
        if re.fullmatch(pattern, answer):
            return "" if answer == NOTHING else answer
        print("  That is not one.")


def known(overrides):
    """The values that the file has. One value may be a string of several."""
    listed = overrides if isinstance(overrides, list) else overrides.split()
    pairs = (pair.split("=", 1) for pair in listed)
    return {name: value.strip('"') for name, value in pairs}


def written(text, values):
    """The file with these values, and everything else as it was."""
    # SAM takes a value with a space, or an empty one, only in quotes.
    pairs = (f'{name}="{value}"' if " " in value or not value else f"{name}={value}" for name, value in values.items())
    pairs = ", ".join(json.dumps(pair, ensure_ascii=False) for pair in pairs)
    before, section, after = text.partition(SECTION)
    if not section:
        sys.exit(f"samconfig.toml has no {SECTION}.")
    end = after.find("\n[") if "\n[" in after else len(after)
    own, rest = after[:end], after[end:]
    line = f"parameter_overrides = [{pairs}]"
    pattern = r"^parameter_overrides = (\[[^\]]*\]|\"[^\n]*\")$"
    changed, count = re.subn(pattern, lambda _: line, own, flags=re.MULTILINE)
    return before + section + (changed if count else f"\n{line}{own}") + rest


def main():
    file = ROOT / "samconfig.toml"
    text = file.read_text(encoding="utf-8")
    before = known(tomllib.loads(text)["default"]["deploy"]["parameters"].get("parameter_overrides", []))
    values = dict(before)
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    questions = [question for question in QUESTIONS if f"\n  {question[0]}:\n" in template]
    for name, question, pattern, proposed in questions:
        values[name] = ask(question, pattern, values.get(name) or proposed)
        for more in MORE.get(values[name], []):
            values[more[0]] = ask(more[1], more[2], values.get(more[0], ""))
    if values["Network"] != "existing":
        values.update(SubnetIds="", SecurityGroupIds="")
    # For a parameter that the file leaves out, an update of the stack keeps the value that was deployed.
    text = written(text, {name: value for name, value in values.items() if value or name in before})
    tomllib.loads(text)
    file.write_text(text, encoding="utf-8")
    print("samconfig.toml has the answers. Commit it: it holds no secret.")


if __name__ == "__main__":
    main()
