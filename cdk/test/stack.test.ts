import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Architecture, BedrockMetricsAggregatorStack } from '../lib/bedrock-metrics-aggregator-stack';

const snapshotFile = path.resolve(__dirname, '..', '..', 'test', 'stack.snapshot.json');

function synthesize(architecture: Architecture = 'x86_64', codeZip?: string) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bedrock-metrics-cdk-'));
  try {
    const zip = path.join(folder, 'lambda.zip');
    fs.writeFileSync(zip, 'stands in for the package');
    const app = new App({ outdir: path.join(folder, 'out'), analyticsReporting: false });
    const stack = new BedrockMetricsAggregatorStack(app, 'BedrockMetricsAggregatorStack', {
      architecture,
      codeZip: codeZip ?? zip,
    });
    return Template.fromStack(stack);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const template = synthesize();

test('the template is the one that was looked at', () => {
  const found = JSON.stringify(template.toJSON(), null, 1) + '\n';
  if (process.env.UPDATE_SNAPSHOT) {
    fs.writeFileSync(snapshotFile, found);
  }
  assert.equal(found, fs.readFileSync(snapshotFile, 'utf8'), 'UPDATE_SNAPSHOT=1 takes it over');
});

test('no function but the aggregator, no custom resource', () => {
  template.resourceCountIs('AWS::Lambda::Function', 1);
  template.resourceCountIs('AWS::IAM::Role', 1);
  const types = Object.values(template.toJSON().Resources).map((r) => (r as { Type: string }).Type);
  assert.deepEqual(types.filter((type) => type.startsWith('Custom::')), []);
});

test('the function runs the package on the chosen processor', () => {
  template.hasResourceProperties('AWS::Lambda::Function', {
    Runtime: 'provided.al2023',
    Handler: 'bootstrap',
    Architectures: ['x86_64'],
    Timeout: 120,
  });
  synthesize('arm64').hasResourceProperties('AWS::Lambda::Function', { Architectures: ['arm64'] });
});

test('one failed message does not bring the batch back', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
});

test('only the bucket may send to the queue, and only over TLS', () => {
  template.hasResourceProperties('AWS::SQS::QueuePolicy', {
    PolicyDocument: {
      Statement: [
        Match.objectLike({
          Effect: 'Allow',
          Principal: { Service: 's3.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Condition: Match.objectLike({
            StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
            ArnEquals: Match.anyValue(),
          }),
        }),
        Match.anyValue(), // the topic, where there is one
        Match.objectLike({ Effect: 'Deny', Sid: 'DenyPlainHttp' }),
      ],
    },
  });
});

test('logs and ledger outlive the stack', () => {
  for (const type of ['AWS::S3::Bucket', 'AWS::DynamoDB::Table']) {
    template.hasResource(type, { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  }
});

test('a missing package is named', () => {
  assert.throws(() => synthesize('x86_64', '/nowhere/lambda.zip'), /no package \/nowhere\/lambda.zip/);
});
