import { App } from 'aws-cdk-lib';
import { BedrockMetricsAggregatorStack, Architecture } from '../lib/bedrock-metrics-aggregator-stack';

const app = new App();
const architecture = app.node.tryGetContext('architecture') ?? 'x86_64';
if (architecture !== 'x86_64' && architecture !== 'arm64') {
  throw new Error(`architecture is '${architecture}'; it can be x86_64 or arm64`);
}

new BedrockMetricsAggregatorStack(app, 'BedrockMetricsAggregatorStack', {
  // The name also names the function, as with the other ways.
  stackName: app.node.tryGetContext('stackName') ?? 'bedrock-metrics-aggregator',
  description:
    'Bedrock Metrics Aggregator - Bedrock invocation logs of this Region to CloudWatch metrics',
  architecture: architecture as Architecture,
  codeZip: app.node.tryGetContext('codeZip'),
});
