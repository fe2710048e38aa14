import { CfnParameter, CfnParameterProps, Stack } from 'aws-cdk-lib';

const yesNo = { type: 'String', allowedValues: ['true', 'false'] };

/*
 * The stack's parameters: the names and limits of template.yaml, so that one synthesized template
 * serves every Region and `cdk deploy --parameters Name=value` accepts what the other tools accept.
 */
const definitions = {
  LogBucketName: {
    default: '',
    description:
      "Bucket for Bedrock's invocation logs. Empty means bedrock-logs-ACCOUNT-REGION",
    allowedPattern: '^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
  },
  CreateBucket: {
    ...yesNo,
    default: 'true',
    description: 'true creates the bucket; false uses an existing one (then run deploy/attach-bucket.sh)',
  },
  EventTopicArn: {
    default: '',
    description:
      'SNS topic in this Region that an existing bucket notifies of new objects. Empty means none',
    allowedPattern: '^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$',
  },
  KeyPrefix: {
    default: '',
    description:
      'keyPrefix of the logging configuration, without a slash at either end. Empty means none',
    allowedPattern: "^$|^[A-Za-z0-9!_.'()-]([A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-])?$",
    maxLength: 512,
  },
  LogExpirationDays: {
    type: 'Number',
    default: '0',
    minValue: 0,
    description: 'Delete logs from a new bucket after this many days. 0 means never',
  },
  KmsKeyArn: {
    default: '',
    description: 'KMS key that encrypts the logs in the bucket. Empty means SSE-S3',
    allowedPattern: '^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$',
  },
  CloudWatchNamespace: {
    default: 'Custom/BedrockMetrics',
    description: 'Namespace of the metrics',
    allowedPattern: '^[A-Za-z0-9._/#-]{1,255}$',
  },
  CloudWatchRegion: {
    default: '',
    description: 'Central Region that all metrics are published to. Empty means this Region',
    allowedPattern: '^$|^[a-z]{2,}(-[a-z]+)+-[0-9]+$',
  },
  MetricDimensions: {
    default: 'InferenceProfileType;InferenceProfileType,ModelId',
    minLength: 1,
    description: 'Dimension sets, separated by semicolons',
  },
  MetricResolution: {
    type: 'Number',
    default: '60',
    allowedValues: [
      '1', '5', '10', '30', '60', '120', '180', '300', '600', '900', '1200', '1800', '3600',
    ],
    description: 'Period of a data point in seconds. Below 60 means high-resolution metrics',
  },
  Metrics: {
    default: '',
    description: 'Names of the metrics to publish, comma-separated. Empty means all',
  },
  MetricLatency: {
    ...yesNo,
    default: 'false',
    description: 'Also publish InvocationLatency if the logs contain it',
  },
  Publisher: {
    default: 'cloudwatch',
    allowedValues: ['cloudwatch', 'emf'],
    description:
      "cloudwatch calls PutMetricData; emf writes the metrics to the function's log",
  },
  ResolveInferenceProfiles: {
    ...yesNo,
    default: 'false',
    description: 'Look up application inference profiles in Bedrock',
  },
  LogLevel: {
    default: 'INFO',
    allowedValues: ['DEBUG', 'INFO', 'WARN', 'ERROR'],
    description: 'Minimum log level of the function',
  },
  LogRetentionDays: {
    type: 'Number',
    default: '30',
    allowedValues: [
      '1', '3', '5', '7', '14', '30', '60', '90', '120', '150', '180', '365', '400', '545', '731',
      '1096', '1827', '3653',
    ],
    description: "Retention of the function's log in days",
  },
  BatchSize: {
    type: 'Number',
    default: '10',
    minValue: 1,
    maxValue: 1000,
    description: 'Maximum number of messages per invocation. More means fewer PutMetricData calls',
  },
  BatchWindow: {
    type: 'Number',
    default: '20',
    minValue: 1,
    maxValue: 300,
    description: 'Maximum seconds to wait for a batch to fill',
  },
  MemorySize: {
    type: 'Number',
    default: '256',
    minValue: 128,
    maxValue: 10240,
    description: 'Memory of the function in MB. Its share of CPU grows with it',
  },
  ReservedConcurrency: {
    type: 'Number',
    default: '10',
    minValue: -1,
    maxValue: 1000,
    description:
      'Reserved concurrency of the function. -1 means none (accounts with a quota of 10)',
  },
  QueueConcurrency: {
    type: 'Number',
    default: '8',
    minValue: 2,
    maxValue: 1000,
    description:
      'Maximum concurrency of the event source mapping. Keep it below ReservedConcurrency',
  },
  Consumer: {
    default: 'function',
    allowedValues: ['function', 'worker'],
    description: 'worker leaves the queue to a worker outside Lambda',
  },
  Ledger: {
    ...yesNo,
    default: 'false',
    description:
      'true counts every object exactly once, with a DynamoDB table, and sweeps the bucket',
  },
  LedgerPolicy: {
    default: 'resolve',
    allowedValues: ['resolve', 'resend', 'drop', 'hold'],
    description: 'What to do with a publish whose outcome is unknown. Requires the ledger',
  },
  LedgerIdentity: {
    default: 'key',
    allowedValues: ['key', 'path'],
    description: 'path counts replicas of one object in several buckets once',
  },
  AlarmTopicArn: {
    default: '',
    description:
      'SNS topic in this Region for the alarms. Empty means alarms without an action',
    allowedPattern: '^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$',
  },
  UsageAlarms: {
    ...yesNo,
    default: 'true',
    description:
      'Usage alarms and dashboard. They require the default dimension sets',
  },
  NoDataHours: {
    type: 'Number',
    default: '24',
    minValue: 1,
    maxValue: 168,
    description: 'Hours without invocations after which the no-data alarm fires',
  },
} satisfies Record<string, CfnParameterProps>;

export type Parameters = Record<keyof typeof definitions, CfnParameter>;

export function addParameters(stack: Stack): Parameters {
  const entries = Object.entries(definitions).map(
    ([name, props]) => [name, new CfnParameter(stack, name, { type: 'String', ...props })] as const,
  );
  return Object.fromEntries(entries) as Parameters;
}
