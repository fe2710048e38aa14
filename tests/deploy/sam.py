"""SAM's transform, as AWS does it when a template names it; without asking AWS anything."""
import os

from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform as translate
from samtranslator.yaml_helper import yaml_parse


class NoPolicies(ManagedPolicyLoader):
    """The stack uses none of AWS' managed policies, so none have to be looked up."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def transform(text, code=None):
    """The plain template.  `code` stands for the package where the text names a local folder."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    document = yaml_parse(text)
    if code:
        document["Resources"]["AggregatorLambdaFunction"]["Properties"]["CodeUri"] = code
    return translate(document, {}, NoPolicies())
