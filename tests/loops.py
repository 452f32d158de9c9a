"""What AWS::LanguageExtensions makes of the loops of a nested stack's template."""

from samtranslator.yaml_helper import yaml_parse


def with_loops_written_out(file):
    """The template in a file, with a resource for each turn of a loop, and without the transform."""
    template = yaml_parse(file.read_text(encoding="utf-8"))
    resources = written_out(template["Resources"])
    return {**{key: value for key, value in template.items() if key != "Transform"}, "Resources": resources}


def written_out(resources):
    """What AWS::LanguageExtensions makes of the loops."""
    found = {}
    for name, resource in resources.items():
        if not name.startswith("Fn::ForEach::"):
            found[name] = resource
            continue
        variable, items, body = resource
        for item in items:
            for key, value in body.items():
                found[key.replace(f"${{{variable}}}", item)] = iteration(value, variable, item)
    return found


def iteration(value, variable, item):
    if isinstance(value, list):
        return [iteration(element, variable, item) for element in value]
    if isinstance(value, str):
        return value.replace(f"${{{variable}}}", item)
    if value == {"Ref": variable}:
        return item
    if not isinstance(value, dict):
        return value
    value = {key: iteration(element, variable, item) for key, element in value.items()}
    # A name that the loop puts together.
    return {"Ref": value["Ref"]["Fn::Sub"]} if isinstance(value.get("Ref"), dict) else value
