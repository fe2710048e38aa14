"""CloudFormation templates as plain data: reading, making alike, comparing, resolving."""
import copy
import json
import re

import yaml


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _construct_tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


_Loader.add_multi_constructor("!", _construct_tag)


def load(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return json.loads(text) if str(path).endswith(".json") else yaml.load(text, _Loader)


# --- make alike -----------------------------------------------------------------------------------

def _alike(value):
    """The same meaning in the same form: numbers as text, ["a"] for GetAtt, sorted actions."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_alike(item) for item in value]
    if isinstance(value, dict):
        if list(value) == ["Fn::GetAtt"] and isinstance(value["Fn::GetAtt"], str):
            return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
        if list(value) == ["Fn::Sub"] and isinstance(value["Fn::Sub"], str):
            try:
                return {"Fn::Sub": json.loads(value["Fn::Sub"])}  # the dashboard's body
            except ValueError:
                return dict(value)
        return {key: _alike(item) for key, item in value.items()}
    return value


def _common(template):
    """What all four have to have alike."""
    out = {part: _alike(template.get(part, {}))
           for part in ("Description", "Parameters", "Conditions", "Rules", "Resources", "Outputs")}
    for resource in out["Resources"].values():
        resource.pop("Metadata", None)
        depends = resource.pop("DependsOn", [])
        # A dependency that a reference makes anyway says nothing.
        text = json.dumps(resource)
        depends = [depends] if isinstance(depends, str) else depends
        depends = sorted(name for name in depends if '"%s"' % name not in text)
        if depends:
            resource["DependsOn"] = depends
    function = out["Resources"]["AggregatorLambdaFunction"]["Properties"]
    function.pop("Code", None)
    for name in ("CodeBucket", "CodeKey"):
        out["Parameters"].pop(name, None)
    return out


def from_plain(template):
    return _common(template)


def from_sam(template):
    """After SAM's transform, which adds a tag that says so."""
    out = _common(template)
    function = out["Resources"]["AggregatorLambdaFunction"]["Properties"]
    tags = [tag for tag in function.get("Tags", []) if tag["Key"] != "lambda:createdBy"]
    function.pop("Tags", None)
    if tags:
        function["Tags"] = tags
    return out


def from_serverless(template, plain):
    """Without the framework's own bucket.  It knows no Rules: those are not compared."""
    out = _common(template)
    for name in ("ServerlessDeploymentBucket", "ServerlessDeploymentBucketPolicy"):
        out["Resources"].pop(name)
    out["Outputs"].pop("ServerlessDeploymentBucketName")
    for output in out["Outputs"].values():
        output.pop("Export", None)
    out["Rules"] = plain["Rules"]
    return out


def from_cdk(template, plain):
    """Without the bootstrap check.  The architecture is chosen at synthesis: no parameter."""
    out = _common(template)
    out["Parameters"].pop("BootstrapVersion", None)
    out["Rules"].pop("CheckBootstrapVersion", None)
    out["Conditions"].pop("CDKMetadataAvailable", None)
    out["Parameters"]["Architecture"] = plain["Parameters"]["Architecture"]
    function = out["Resources"]["AggregatorLambdaFunction"]["Properties"]
    if function["Architectures"] == ["x86_64"]:
        function["Architectures"] = [{"Ref": "Architecture"}]
    return out


def differences(a, b, path=""):
    """Every place where b is not as a, as readable lines."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for key in sorted(set(a) | set(b)):
            where = path + "/" + key
            if key not in a:
                found.append("%s: only there: %s" % (where, json.dumps(b[key])[:120]))
            elif key not in b:
                found.append("%s: missing" % where)
            else:
                found += differences(a[key], b[key], where)
        return found
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b))
                for line in differences(x, y, "%s/%d" % (path, i))]
    return [] if a == b else ["%s: %s is not %s" % (path, json.dumps(b)[:120], json.dumps(a)[:120])]


# --- resolve: what CloudFormation would make of it with these parameters --------------------------

PSEUDO = {
    "AWS::AccountId": "123456789012", "AWS::Region": "us-east-1", "AWS::Partition": "aws",
    "AWS::StackName": "bedrock-metrics-aggregator", "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE = object()


def resolve(template, **parameters):
    """Resources and outputs that exist with these parameters, with conditions decided and
    parameters put in.  References to resources stay as <Name> and <Name.Attribute>."""
    values = dict(PSEUDO)
    for name, definition in template["Parameters"].items():
        values[name] = str(parameters.pop(name, definition.get("Default", "<%s>" % name)))
    values.update((name, parameters.pop(name)) for name in list(parameters) if name in PSEUDO)
    if parameters:
        raise KeyError("no such parameter: %s" % sorted(parameters))

    def condition(expression):
        if isinstance(expression, str):
            return condition(template["Conditions"][expression])
        (kind, value), = expression.items()
        if kind == "Condition":
            return condition(value)
        if kind == "Fn::Equals":
            return str(value_of(value[0])) == str(value_of(value[1]))
        if kind == "Fn::Not":
            return not condition(value[0])
        return (any if kind == "Fn::Or" else all)(condition(item) for item in value)

    def substitute(text, extra):
        def name(match):
            key = match.group(1)
            if key in extra:
                return str(value_of(extra[key]))
            return values.get(key, "<%s>" % key)
        text = re.sub(r"\$\{([A-Za-z0-9:.]+)\}", name, text)
        return text.replace("${!", "${")

    def value_of(node):
        if isinstance(node, list):
            items = [value_of(item) for item in node]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (kind, value), = node.items()
            if kind == "Ref":
                return _NO_VALUE if value == "AWS::NoValue" else values.get(value, "<%s>" % value)
            if kind == "Fn::GetAtt":
                value = value.split(".") if isinstance(value, str) else value
                return "<%s>" % ".".join(value)
            if kind == "Fn::If":
                return value_of(value[1] if condition(value[0]) else value[2])
            if kind == "Fn::Sub":
                return substitute(value, {}) if isinstance(value, str) \
                    else substitute(value[0], value[1])
        items = {key: value_of(value) for key, value in node.items()}
        return {key: value for key, value in items.items() if value is not _NO_VALUE}

    def existing(part):
        out = {}
        for name, item in template.get(part, {}).items():
            if "Condition" not in item or condition(item["Condition"]):
                out[name] = value_of({k: v for k, v in item.items() if k != "Condition"})
        return out

    template = copy.deepcopy(template)
    return existing("Resources"), existing("Outputs")
