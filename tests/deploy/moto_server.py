"""moto's server with its slips mended that stand in the way of a CloudFormation template."""
import sys

from moto.awslambda.models import EventSourceMapping
from moto.cloudformation.models import ChangeSet
from moto.server import main

make_mapping = EventSourceMapping.__init__


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


EventSourceMapping.__init__ = make_mapping_with_numbers
ChangeSet.apply = apply_with_outputs
main(sys.argv[1:])
