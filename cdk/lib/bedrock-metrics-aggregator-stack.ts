import * as fs from 'node:fs';
import * as path from 'node:path';
import {
  Aws,
  CfnDeletionPolicy,
  CfnOutput,
  CfnResource,
  Fn,
  Stack,
  StackProps,
  Validations,
  aws_cloudwatch as cloudwatch,
  aws_dynamodb as dynamodb,
  aws_events as events,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  aws_s3 as s3,
  aws_s3_assets as assets,
  aws_sns as sns,
  aws_sqs as sqs,
} from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { addAlarms } from './alarms';
import { Conditions, addConditions, choose } from './conditions';
import { Parameters, addParameters } from './parameters';

export type Architecture = 'x86_64' | 'arm64';

export interface BedrockMetricsAggregatorStackProps extends StackProps {
  /* Architecture of the function; selects the package. */
  readonly architecture: Architecture;
  /* The package. Default: what `make lambda` builds for the architecture. */
  readonly codeZip?: string;
}

/* From dist/lib, where the compiler puts this file. */
const projectRoot = path.resolve(__dirname, '..', '..', '..');

/* The function's timeout and, at least six times as long, the queue's visibility timeout. */
const functionTimeoutSeconds = 120;
const visibilityTimeoutSeconds = 1300;
const fourteenDaysSeconds = 14 * 24 * 3600;

/*
 * One Region's pipeline: bucket -> queue -> function -> CloudWatch of the one central Region.
 *
 * The level 1 constructs are deliberate.  The level 2 ones would set the bucket's notification and
 * the log retention with functions of their own, and would write wider policies than are needed.
 * The resources have the names and properties of template.yaml, and a test compares the two.
 */
export class BedrockMetricsAggregatorStack extends Stack {
  private readonly parameters: Parameters;
  private readonly conditions: Conditions;
  private readonly bucketName: string;
  private readonly keyPrefix: string;
  private readonly logsPrefix: string;

  constructor(scope: Construct, id: string, props: BedrockMetricsAggregatorStackProps) {
    super(scope, id, props);

    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W1030',
      reason: 'Parameters that may be empty are used only where a condition says they are not.',
    });

    const p = (this.parameters = addParameters(this));
    const c = (this.conditions = addConditions(this, p));
    this.bucketName = choose(
      c.defaultBucketName,
      Fn.sub('bedrock-logs-${AWS::AccountId}-${AWS::Region}'),
      p.LogBucketName.valueAsString,
    );
    this.keyPrefix = choose(c.hasKeyPrefix, Fn.sub('${KeyPrefix}/'), '');
    this.logsPrefix = choose(c.hasKeyPrefix, Fn.sub('${KeyPrefix}/AWSLogs/'), 'AWSLogs/');

    const { queue, deadLetters, queuePolicy } = this.addQueues();
    this.addBucket(queue, queuePolicy);
    const table = this.addLedger();
    const { fn, logGroup } = this.addFunction(props, queue, table);
    this.addSweep(fn);
    addAlarms(this, p, c, { fn, queue, deadLetters });
    this.addDashboard();
    this.addOutputs(fn, queue, deadLetters, logGroup, table);
  }

  private addBucket(queue: sqs.CfnQueue, queuePolicy: sqs.CfnQueuePolicy) {
    const p = this.parameters;
    const c = this.conditions;

    const bucket = new s3.CfnBucket(this, 'LogBucket', {
      bucketName: this.bucketName,
      bucketEncryption: {
        serverSideEncryptionConfiguration: [
          {
            bucketKeyEnabled: choose(c.hasKmsKey, true, false),
            serverSideEncryptionByDefault: {
              sseAlgorithm: choose(c.hasKmsKey, 'aws:kms', 'AES256'),
              kmsMasterKeyId: choose(c.hasKmsKey, p.KmsKeyArn.valueAsString),
            },
          },
        ],
      },
      publicAccessBlockConfiguration: {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      ownershipControls: { rules: [{ objectOwnership: 'BucketOwnerEnforced' }] },
      lifecycleConfiguration: {
        rules: [
          {
            id: 'abort-incomplete-uploads',
            status: 'Enabled',
            abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
          },
          choose(c.expireLogs, {
            Id: 'expire-logs',
            Status: 'Enabled',
            ExpirationInDays: p.LogExpirationDays.valueAsNumber,
          } as unknown as s3.CfnBucket.RuleProperty),
        ],
      },
      notificationConfiguration: {
        queueConfigurations: [
          {
            event: 's3:ObjectCreated:*',
            queue: queue.attrArn,
            filter: {
              s3Key: {
                rules: [
                  { name: 'prefix', value: this.logsPrefix },
                  { name: 'suffix', value: '.json.gz' },
                ],
              },
            },
          },
        ],
      },
    });
    bucket.cfnOptions.condition = c.makeBucket;
    retain(bucket); // the logs are not ours to delete
    bucket.addResourceDependency(queuePolicy); // S3 sends a test event when the notification is set

    const policy = new s3.CfnBucketPolicy(this, 'LogBucketPolicy', {
      bucket: bucket.ref,
      policyDocument: document([
        {
          Sid: 'BedrockWritesLogs',
          Effect: 'Allow',
          Principal: { Service: 'bedrock.amazonaws.com' },
          Action: 's3:PutObject',
          Resource: Fn.sub(
            'arn:${AWS::Partition}:s3:::${LogBucket}/${Prefix}AWSLogs/${AWS::AccountId}/BedrockModelInvocationLogs/*',
            { Prefix: this.keyPrefix },
          ),
          Condition: {
            StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
            ArnLike: {
              'aws:SourceArn': Fn.sub('arn:${AWS::Partition}:bedrock:${AWS::Region}:${AWS::AccountId}:*'),
            },
          },
        },
        denyPlainHttp('s3:*', [
          Fn.sub('arn:${AWS::Partition}:s3:::${LogBucket}'),
          Fn.sub('arn:${AWS::Partition}:s3:::${LogBucket}/*'),
        ]),
      ]),
    });
    policy.cfnOptions.condition = c.makeBucket;
  }

  private addQueues() {
    const deadLetters = new sqs.CfnQueue(this, 'DeadLetterQueue', {
      queueName: Fn.sub('${AWS::StackName}-dead-letters'),
      messageRetentionPeriod: fourteenDaysSeconds,
      receiveMessageWaitTimeSeconds: 20,
      sqsManagedSseEnabled: true,
      redriveAllowPolicy: {
        redrivePermission: 'byQueue',
        sourceQueueArns: [
          Fn.sub('arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-events'),
        ],
      },
    });
    const queue = new sqs.CfnQueue(this, 'EventQueue', {
      queueName: Fn.sub('${AWS::StackName}-events'),
      visibilityTimeout: visibilityTimeoutSeconds,
      messageRetentionPeriod: fourteenDaysSeconds,
      receiveMessageWaitTimeSeconds: 20,
      sqsManagedSseEnabled: true,
      redrivePolicy: {
        deadLetterTargetArn: deadLetters.attrArn,
        // Few receives without a ledger: each retry after an unknown outcome may count twice.
        maxReceiveCount: choose(this.conditions.useLedger, 20, 5),
      },
    });
    const queuePolicy = new sqs.CfnQueuePolicy(this, 'EventQueuePolicy', {
      queues: [queue.ref],
      policyDocument: document([
        {
          Sid: 'BucketSendsEvents',
          Effect: 'Allow',
          Principal: { Service: 's3.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Resource: queue.attrArn,
          Condition: {
            StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
            ArnEquals: {
              'aws:SourceArn': Fn.sub('arn:${AWS::Partition}:s3:::${Bucket}', {
                Bucket: this.bucketName,
              }),
            },
          },
        },
        choose(this.conditions.hasEventTopic, {
          Sid: 'TopicSendsEvents',
          Effect: 'Allow',
          Principal: { Service: 'sns.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Resource: queue.attrArn,
          Condition: {
            ArnEquals: { 'aws:SourceArn': this.parameters.EventTopicArn.valueAsString },
          },
        }),
        denyPlainHttp('sqs:*', queue.attrArn),
      ]),
    });
    // For a bucket whose events already go to another consumer: the topic gives both a copy.
    const subscription = new sns.CfnSubscription(this, 'EventTopicSubscription', {
      topicArn: this.parameters.EventTopicArn.valueAsString,
      protocol: 'sqs',
      endpoint: queue.attrArn,
      rawMessageDelivery: true,
      filterPolicyScope: 'MessageBody',
      filterPolicy: { Records: { s3: { object: { key: [{ prefix: this.logsPrefix }] } } } },
    });
    subscription.cfnOptions.condition = this.conditions.hasEventTopic;
    new sqs.CfnQueuePolicy(this, 'DeadLetterQueuePolicy', {
      queues: [deadLetters.ref],
      policyDocument: document([denyPlainHttp('sqs:*', deadLetters.attrArn)]),
    });
    return { queue, deadLetters, queuePolicy };
  }

  private addLedger() {
    const table = new dynamodb.CfnTable(this, 'LedgerTable', {
      billingMode: 'PAY_PER_REQUEST',
      attributeDefinitions: [{ attributeName: 'pk', attributeType: 'S' }],
      keySchema: [{ attributeName: 'pk', keyType: 'HASH' }],
      timeToLiveSpecification: { attributeName: 'expires', enabled: true },
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    });
    table.cfnOptions.condition = this.conditions.useLedger;
    retain(table); // a new stack with an empty ledger would count a backfill twice
    return table;
  }

  private addRole(queue: sqs.CfnQueue, table: dynamodb.CfnTable) {
    const c = this.conditions;
    const allow = (Sid: string, Action: string | string[], Resource: string, Condition?: object) => ({
      Sid,
      Effect: 'Allow',
      Action,
      Resource,
      ...(Condition ? { Condition } : {}),
    });
    return new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
      ]),
      policies: [
        {
          policyName: 'aggregate',
          policyDocument: document([
            allow(
              'WriteOwnLog',
              ['logs:CreateLogStream', 'logs:PutLogEvents'],
              Fn.sub(
                'arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}:*',
              ),
            ),
            // What the event source mapping does with the function's role.
            allow(
              'ReceiveAndDeleteMessages',
              ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
              queue.attrArn,
            ),
            allow(
              'ReadLogs',
              's3:GetObject',
              Fn.sub('arn:${AWS::Partition}:s3:::${Bucket}/${Prefix}AWSLogs/*/BedrockModelInvocationLogs/*', {
                Bucket: this.bucketName,
                Prefix: this.keyPrefix,
              }),
            ),
            // Without this S3 answers 403 instead of 404 for a deleted object.
            allow(
              'ListBucketToSeeMissingKeys',
              's3:ListBucket',
              Fn.sub('arn:${AWS::Partition}:s3:::${Bucket}', { Bucket: this.bucketName }),
            ),
            choose(
              c.hasKmsKey,
              allow('DecryptLogs', 'kms:Decrypt', this.parameters.KmsKeyArn.valueAsString, {
                StringEquals: { 'kms:ViaService': Fn.sub('s3.${AWS::Region}.${AWS::URLSuffix}') },
              }),
            ),
            // PutMetricData has no resource-level permissions; the namespace condition limits it.
            choose(
              c.publishesEmf,
              { Ref: 'AWS::NoValue' } as object,
              allow('PublishMetrics', 'cloudwatch:PutMetricData', '*', {
                StringEquals: {
                  'cloudwatch:namespace': this.parameters.CloudWatchNamespace.valueAsString,
                },
              }),
            ),
            choose(
              c.resolveProfiles,
              allow('ResolveApplicationProfiles', 'bedrock:ListInferenceProfiles', '*'),
            ),
            choose(
              c.resolveProfiles,
              allow(
                'ReadApplicationProfiles',
                ['bedrock:GetInferenceProfile', 'bedrock:ListTagsForResource'],
                Fn.sub('arn:${AWS::Partition}:bedrock:*:${AWS::AccountId}:application-inference-profile/*'),
              ),
            ),
            choose(
              c.useLedger,
              allow(
                'KeepLedger',
                ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
                table.attrArn,
              ),
            ),
            // GetMetricData has neither resource-level permissions nor a namespace condition.
            choose(c.useLedger, allow('ReadMarkers', 'cloudwatch:GetMetricData', '*')),
          ]),
        },
      ],
    });
  }

  private addFunction(
    props: BedrockMetricsAggregatorStackProps,
    queue: sqs.CfnQueue,
    table: dynamodb.CfnTable,
  ) {
    const p = this.parameters;
    const c = this.conditions;

    const zip = props.codeZip ?? path.join(projectRoot, 'build', `lambda-${props.architecture}.zip`);
    if (!fs.existsSync(zip)) {
      throw new Error(`there is no package ${zip}: run 'make lambda' at the project's root first`);
    }
    const code = new assets.Asset(this, 'Code', { path: zip });

    const logGroup = new logs.CfnLogGroup(this, 'LogGroup', {
      logGroupName: Fn.sub('/aws/lambda/${AWS::StackName}'),
      retentionInDays: p.LogRetentionDays.valueAsNumber,
    });
    logGroup.cfnOptions.deletionPolicy = CfnDeletionPolicy.DELETE;
    logGroup.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.DELETE;

    const fn = new lambda.CfnFunction(this, 'AggregatorLambdaFunction', {
      functionName: Aws.STACK_NAME,
      description: 'Counts Bedrock invocation logs and publishes the sums',
      code: { s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey },
      runtime: lambda.Runtime.PROVIDED_AL2023.name,
      handler: 'bootstrap',
      architectures: [props.architecture],
      memorySize: p.MemorySize.valueAsNumber,
      timeout: functionTimeoutSeconds,
      reservedConcurrentExecutions: choose(
        c.reserveConcurrency,
        p.ReservedConcurrency.valueAsNumber,
      ),
      role: this.addRole(queue, table).attrArn,
      loggingConfig: {
        logGroup: logGroup.ref,
        logFormat: 'JSON',
        applicationLogLevel: p.LogLevel.valueAsString,
        systemLogLevel: 'INFO',
      },
      environment: {
        variables: {
          S3_BUCKET_NAME: this.bucketName,
          CLOUDWATCH_NAMESPACE: p.CloudWatchNamespace.valueAsString,
          CLOUDWATCH_REGION: choose(
            c.hasCloudWatchRegion,
            p.CloudWatchRegion.valueAsString,
            Aws.REGION,
          ),
          LOG_LEVEL: p.LogLevel.valueAsString,
          METRIC_RESOLUTION: p.MetricResolution.valueAsString,
          METRIC_DIMENSIONS: p.MetricDimensions.valueAsString,
          METRICS: choose(c.chooseMetrics, p.Metrics.valueAsString),
          METRIC_LATENCY: p.MetricLatency.valueAsString,
          PUBLISHER: p.Publisher.valueAsString,
          RESOLVE_INFERENCE_PROFILES: p.ResolveInferenceProfiles.valueAsString,
          LEDGER: choose(c.useLedger, Fn.sub('dynamodb://${LedgerTable}')),
          LEDGER_POLICY: choose(c.useLedger, p.LedgerPolicy.valueAsString),
          LEDGER_IDENTITY: choose(c.identityIsPath, 'path'),
        },
      },
    });

    new lambda.CfnEventSourceMapping(this, 'QueueMapping', {
      eventSourceArn: queue.attrArn,
      functionName: fn.ref,
      batchSize: p.BatchSize.valueAsNumber,
      maximumBatchingWindowInSeconds: p.BatchWindow.valueAsNumber,
      functionResponseTypes: ['ReportBatchItemFailures'],
      enabled: choose(c.functionConsumes, true, false),
      // Below the reserved concurrency: no throttled messages, and room for the sweep.
      scalingConfig: { maximumConcurrency: p.QueueConcurrency.valueAsNumber },
    });
    return { fn, logGroup };
  }

  /* Lists the bucket against the ledger, so that nothing depends on an event arriving. */
  private addSweep(fn: lambda.CfnFunction) {
    const sweep = (name: string, description: string, scheduleExpression: string, since: string) => {
      const rule = new events.CfnRule(this, name, {
        description,
        scheduleExpression,
        state: 'ENABLED',
        targets: [
          {
            id: 'function',
            arn: fn.attrArn,
            input: JSON.stringify({ command: 'sweep', since }),
            retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: 3600 },
          },
        ],
      });
      rule.cfnOptions.condition = this.conditions.useLedger;
      const permission = new lambda.CfnPermission(this, `${name}Permission`, {
        action: 'lambda:InvokeFunction',
        functionName: fn.attrArn,
        principal: 'events.amazonaws.com',
        sourceArn: rule.attrArn,
      });
      permission.cfnOptions.condition = this.conditions.useLedger;
    };
    sweep('SweepHourly', 'Sweeps objects of the last 3 hours that no event announced', 'cron(17 * * * ? *)', '3h');
    sweep('SweepDaily', 'Sweeps objects of the last 14 days that no event announced', 'cron(41 3 * * ? *)', '14d');
  }

  private addDashboard() {
    const dashboard = new cloudwatch.CfnDashboard(this, 'Dashboard', {
      dashboardName: Fn.sub('${AWS::StackName}-${AWS::Region}'),
      dashboardBody: Fn.sub(
        fs.readFileSync(path.join(projectRoot, 'deploy', 'dashboard.json'), 'utf8'),
      ),
    });
    dashboard.cfnOptions.condition = this.conditions.watchUsage;
  }

  private addOutputs(
    fn: lambda.CfnFunction,
    queue: sqs.CfnQueue,
    deadLetters: sqs.CfnQueue,
    logGroup: logs.CfnLogGroup,
    table: dynamodb.CfnTable,
  ) {
    const c = this.conditions;
    new CfnOutput(this, 'FunctionName', { value: fn.ref, description: 'The function' });
    new CfnOutput(this, 'LogBucketInUse', {
      value: this.bucketName,
      description: 'The bucket whose logs are counted',
    });
    new CfnOutput(this, 'QueueUrl', { value: queue.ref, description: 'The queue of log objects' });
    new CfnOutput(this, 'QueueArn', {
      value: queue.attrArn,
      description: 'ARN of the queue, for deploy/attach-bucket.sh',
    });
    new CfnOutput(this, 'DeadLetterQueueUrl', {
      value: deadLetters.ref,
      description: 'The dead-letter queue',
    });
    new CfnOutput(this, 'FunctionLogGroup', {
      value: logGroup.ref,
      description: "The function's log group",
    });
    new CfnOutput(this, 'LedgerTableName', {
      value: table.ref,
      description: 'The ledger table',
      condition: c.useLedger,
    });
    new CfnOutput(this, 'DashboardUrl', {
      value: Fn.sub(
        'https://console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/${AWS::StackName}-${AWS::Region}',
      ),
      description: 'The dashboard',
      condition: c.watchUsage,
    });
  }
}

function retain(resource: CfnResource) {
  resource.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN;
  resource.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN;
}

function document(Statement: object[]) {
  return { Version: '2012-10-17', Statement };
}

function denyPlainHttp(Action: string, Resource: string | string[]) {
  return {
    Sid: 'DenyPlainHttp',
    Effect: 'Deny',
    Principal: '*',
    Action,
    Resource,
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
}
