"""moto's server with fixes where its slips stop real deployments, and with the one thing that AWS
does and moto does not: SAM's transform.  That way each tool's own deploy command runs to its end
against it."""
import json
import re
import sys

import sam
from moto.awslambda.models import EventSourceMapping
from moto.cloudformation import models, responses
from moto.server import main

make_mapping = EventSourceMapping.__init__
read_template = responses.get_stack_from_s3_url
lint = models.validate_template_cfn_lint


def make_mapping_with_numbers(self, spec):
    """CloudFormation gives numeric parameters as text; moto compares them with numbers."""
    make_mapping(self, dict(spec, BatchSize=int(spec.get("BatchSize", 10))))


def apply_with_outputs(self):
    """moto leaves a stack made by a change set without its outputs."""
    stack = self.stack
    stack.template = self.template
    stack._parse_template()
    stack.resource_map.update(self.template_dict, self.parameters)
    stack.parameters = self.parameters
    stack.output_map = stack._create_output_map()


def read_template_here(url, **where):
    """moto takes the first part of an address for a bucket; here it is this server's own."""
    text = read_template(re.sub(r"//127\.0\.0\.1:\d+/", "//s3.amazonaws.com/", url), **where)
    return json.dumps(sam.transform(text)) if "Transform: AWS::Serverless" in text else text


def lint_for_errors(template):
    """AWS refuses errors; moto refuses warnings too."""
    return [found for found in lint(template) if found.rule.id.startswith("E")]


EventSourceMapping.__init__ = make_mapping_with_numbers
models.ChangeSet.apply = apply_with_outputs
models.validate_template_cfn_lint = lint_for_errors
responses.get_stack_from_s3_url = read_template_here
main(sys.argv[1:])
