import { CfnParameter, CfnParameterProps, Stack } from 'aws-cdk-lib';

const yesNo = { type: 'String', allowedValues: ['true', 'false'] };

/*
 * The stack's parameters: the names and limits of template.yaml, so that one synthesized template
 * serves every Region and `cdk deploy --parameters Name=value` takes what the other ways take.
 */
const definitions = {
  LogBucketName: {
    default: '',
    description:
      "Bucket with (or for) Bedrock's invocation logs. Empty means bedrock-logs-ACCOUNT-REGION",
    allowedPattern: '^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
  },
  CreateBucket: {
    ...yesNo,
    default: 'true',
    description: 'true makes the bucket; false uses one that exists (then run deploy/attach-bucket.sh)',
  },
  EventTopicArn: {
    default: '',
    description:
      'SNS topic of this Region that an existing bucket tells of its objects. Empty means none',
    allowedPattern: '^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$',
  },
  KeyPrefix: {
    default: '',
    description:
      'Key prefix of the logging configuration, no slash at either end. Empty means none',
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
    description: "KMS key that encrypts the logs in the bucket. Empty means S3's own key",
    allowedPattern: '^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$',
  },
  CloudWatchNamespace: {
    default: 'Custom/BedrockMetrics',
    description: 'Namespace of the metrics',
    allowedPattern: '^[A-Za-z0-9._/#-]{1,255}$',
  },
  CloudWatchRegion: {
    default: '',
    description: 'The one Region all metrics go to. Empty means this Region',
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
    description: 'Seconds summed into one data point. Below 60 is high resolution',
  },
  Metrics: {
    default: '',
    description: 'Names of the metrics to publish, comma separated. Empty means all',
  },
  MetricLatency: {
    ...yesNo,
    default: 'false',
    description: 'Also publish InvocationLatency where the logs have it',
  },
  Publisher: {
    default: 'cloudwatch',
    allowedValues: ['cloudwatch', 'emf'],
    description:
      'cloudwatch calls PutMetricData; emf writes metrics as log lines of the function',
  },
  ResolveInferenceProfiles: {
    ...yesNo,
    default: 'false',
    description: 'Ask Bedrock which models an application inference profile stands for',
  },
  LogLevel: {
    default: 'INFO',
    allowedValues: ['DEBUG', 'INFO', 'WARN', 'ERROR'],
    description: 'Least level that the function logs',
  },
  LogRetentionDays: {
    type: 'Number',
    default: '30',
    allowedValues: [
      '1', '3', '5', '7', '14', '30', '60', '90', '120', '150', '180', '365', '400', '545', '731',
      '1096', '1827', '3653',
    ],
    description: "Days the function's own log is kept",
  },
  BatchSize: {
    type: 'Number',
    default: '10',
    minValue: 1,
    maxValue: 1000,
    description: 'Most messages in one invocation. More means fewer PutMetricData calls',
  },
  BatchWindow: {
    type: 'Number',
    default: '20',
    minValue: 1,
    maxValue: 300,
    description: 'Seconds to wait for a batch to fill',
  },
  MemorySize: {
    type: 'Number',
    default: '256',
    minValue: 128,
    maxValue: 10240,
    description: 'Memory of the function in MB. Its share of processor time grows with it',
  },
  ReservedConcurrency: {
    type: 'Number',
    default: '10',
    minValue: -1,
    maxValue: 1000,
    description:
      'Concurrency set aside for the function. -1 means none (accounts with a quota of 10)',
  },
  QueueConcurrency: {
    type: 'Number',
    default: '8',
    minValue: 2,
    maxValue: 1000,
    description:
      'Most copies of the function that work for the queue. Keep it below ReservedConcurrency',
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
      'true counts every object exactly once, by a DynamoDB table, and sweeps the bucket',
  },
  LedgerPolicy: {
    default: 'resolve',
    allowedValues: ['resolve', 'resend', 'drop', 'hold'],
    description: 'What happens to a publish whose outcome is unknown. Needs the ledger',
  },
  LedgerIdentity: {
    default: 'key',
    allowedValues: ['key', 'path'],
    description: 'path counts replicas of one object in several buckets once',
  },
  AlarmTopicArn: {
    default: '',
    description:
      'SNS topic of this Region that the alarms notify. Empty means alarms without a receiver',
    allowedPattern: '^$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$',
  },
  UsageAlarms: {
    ...yesNo,
    default: 'true',
    description:
      'Alarms and dashboard on the metrics. They need the dimension sets of the default',
  },
  NoDataHours: {
    type: 'Number',
    default: '24',
    minValue: 1,
    maxValue: 168,
    description: 'Hours without any metric after which the no-data alarm fires',
  },
} satisfies Record<string, CfnParameterProps>;

export type Parameters = Record<keyof typeof definitions, CfnParameter>;

export function addParameters(stack: Stack): Parameters {
  const entries = Object.entries(definitions).map(
    ([name, props]) => [name, new CfnParameter(stack, name, { type: 'String', ...props })] as const,
  );
  return Object.fromEntries(entries) as Parameters;
}
