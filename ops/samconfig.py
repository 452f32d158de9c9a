"""What samconfig.toml and template.yaml say of a deployment: the stack's name, and its parameters."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "samconfig.toml"
PLAIN = r'[^\s"\\]+'
# A value in quotes may have spaces.
PAIR = re.compile(r'(\w+)=("(?:\\.|[^"\\])*"|\S*)')


def template():
    return (ROOT / "template.yaml").read_text(encoding="utf-8")


def settings(environment, command):
    """What the file says to a command of SAM."""
    return tomllib.loads(FILE.read_text(encoding="utf-8")).get(environment, {}).get(command, {}).get("parameters", {})


def setting(environment, name):
    """What the file says to `sam deploy`, whose own section wins over that of all commands."""
    return settings(environment, "deploy").get(name) or settings(environment, "global").get(name)


def stack_name(environment):
    """The name of the stack that a deployment with this --config-env makes or updates."""
    found = setting(environment, "stack_name")
    return found or sys.exit(f"samconfig.toml has no stack_name in [{environment}.global.parameters].")


def overrides(environment):
    """The parameters that the file names. SAM takes one text with all of them, and a list."""
    found = setting(environment, "parameter_overrides") or []
    text = found if isinstance(found, str) else " ".join(found)
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith('"') else value) for name, value in PAIR.findall(text)}


def parameters(environment, deployed):
    """All parameters: those of the file; of the others what the stack has already, which SAM keeps, or the template's default."""
    section = re.search(r"^Parameters:\n((?:  .*\n|\n)+)", template(), re.MULTILINE)[1]
    defaults = dict(re.findall(r"^  (\w+):\n(?:    .*\n)*?    Default: '?(.*?)'?$", section, re.MULTILINE))
    return {**defaults, **deployed, **overrides(environment)}


def reserved(values):
    """The concurrency that each function takes out of the account's, by the name of its parameter."""
    return {name: int(value) for name, value in values.items() if name.endswith("Concurrency")}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def pair(name, value):
    """A parameter as SAM takes it: a value with a space, or an empty one, only in quotes."""
    return f"{name}={value if re.fullmatch(PLAIN, value) else quoted(value)}"


def write_overrides(values):
    """Writes the parameters of a deployment without --config-env, and leaves the rest of the file as it is."""
    listed = ", ".join(quoted(pair(name, value)) for name, value in values.items())
    line = f"parameter_overrides = [{listed}]"
    before, section, after = FILE.read_text(encoding="utf-8").partition("[default.deploy.parameters]")
    if not section:
        sys.exit("samconfig.toml has no [default.deploy.parameters].")
    own, other, rest = after.partition("\n[")
    pattern = r"^parameter_overrides = (\[[^\]]*\]|\"[^\n]*\")$"
    changed, count = re.subn(pattern, lambda _: line, own, flags=re.MULTILINE)
    text = before + section + (changed if count else f"\n{line}{own}") + other + rest
    tomllib.loads(text)
    FILE.write_text(text, encoding="utf-8")
