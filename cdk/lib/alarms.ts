import {
  CfnCondition,
  Fn,
  Stack,
  aws_cloudwatch as cloudwatch,
  aws_lambda as lambda,
  aws_sqs as sqs,
} from 'aws-cdk-lib';
import { Conditions, choose } from './conditions';
import { Parameters } from './parameters';

interface Watched {
  readonly fn: lambda.CfnFunction;
  readonly queue: sqs.CfnQueue;
  readonly deadLetters: sqs.CfnQueue;
}

type AlarmSettings = Omit<cloudwatch.CfnAlarmProps, 'comparisonOperator'> & {
  comparisonOperator?: string;
};

/* Alarms on the pipeline (always) and on the usage (in the Region of the metrics). */
export function addAlarms(stack: Stack, p: Parameters, c: Conditions, watched: Watched) {
  const receivers = choose(c.hasAlarmTopic, [p.AlarmTopicArn.valueAsString]);

  const alarm = (id: string, name: string, settings: AlarmSettings, condition?: CfnCondition) => {
    const created = new cloudwatch.CfnAlarm(stack, id, {
      alarmName: Fn.sub('${AWS::StackName}-' + name),
      alarmActions: receivers,
      okActions: receivers,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      treatMissingData: 'notBreaching',
      ...settings,
    });
    created.cfnOptions.condition = condition;
  };
  const ofFunction = (metricName: string) => ({
    namespace: 'AWS/Lambda',
    metricName,
    dimensions: [{ name: 'FunctionName', value: watched.fn.ref }],
    period: 300,
  });
  const ofQueue = (queue: sqs.CfnQueue, metricName: string) => ({
    namespace: 'AWS/SQS',
    metricName,
    dimensions: [{ name: 'QueueName', value: queue.attrQueueName }],
    period: 300,
    statistic: 'Maximum',
  });

  alarm('ErrorsAlarm', 'errors', {
    alarmDescription: 'The function fails as a whole. Check its log',
    ...ofFunction('Errors'),
    statistic: 'Sum',
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
    threshold: 1,
  });
  alarm('ThrottlesAlarm', 'throttles', {
    alarmDescription:
      'The function is throttled. Messages wait and use up their receives',
    ...ofFunction('Throttles'),
    statistic: 'Sum',
    evaluationPeriods: 3,
    datapointsToAlarm: 3,
    threshold: 1,
  });
  alarm('LatencyAlarm', 'latency', {
    alarmDescription:
      'A batch takes more than 90 of the allowed 120 s. Lower BatchSize or raise MemorySize',
    ...ofFunction('Duration'),
    extendedStatistic: 'p95',
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
    threshold: 90000,
  });
  alarm('OldestMessageAlarm', 'oldest-message', {
    alarmDescription: 'Log objects have been waiting for more than an hour',
    ...ofQueue(watched.queue, 'ApproximateAgeOfOldestMessage'),
    evaluationPeriods: 3,
    datapointsToAlarm: 3,
    threshold: 3600,
  });
  alarm('DeadLettersAlarm', 'dead-letters', {
    alarmDescription: 'Log objects could not be counted and are in the dead-letter queue',
    ...ofQueue(watched.deadLetters, 'ApproximateNumberOfMessagesVisible'),
    evaluationPeriods: 1,
    datapointsToAlarm: 1,
    threshold: 1,
  });

  /* The sum over all profile types, so that no single type has to be in use. */
  const total = (label: string, metricName: string, period: number) => [
    { id: 'total', label, expression: 'SUM([m1, m2, m3, m4])', returnData: true },
    ...['GlobalCrossRegion', 'CrossRegion', 'InRegion', 'Unknown'].map((value, i) => ({
      id: `m${i + 1}`,
      returnData: false,
      metricStat: {
        metric: {
          namespace: p.CloudWatchNamespace.valueAsString,
          metricName,
          dimensions: [{ name: 'InferenceProfileType', value }],
        },
        period,
        stat: 'Sum',
      },
    })),
  ];
  alarm(
    'NoDataAlarm',
    'no-data',
    {
      alarmDescription:
        'No invocation was counted for hours. Either nobody calls Bedrock or no logs arrive',
      metrics: total('Invocations of all profile types', 'Invocations', 3600),
      evaluationPeriods: p.NoDataHours.valueAsNumber,
      datapointsToAlarm: p.NoDataHours.valueAsNumber,
      threshold: 1,
      comparisonOperator: 'LessThanThreshold',
      treatMissingData: 'breaching',
    },
    c.watchUsage,
  );
  alarm(
    'TokenAnomalyAlarm',
    'token-anomaly',
    {
      alarmDescription: 'Far more tokens than usual for this hour of the week',
      metrics: [
        {
          id: 'band',
          label: 'Expected tokens',
          expression: 'ANOMALY_DETECTION_BAND(total, 3)',
          returnData: true,
        },
        ...total('Tokens of all profile types', 'TotalTokenCount', 900),
      ],
      thresholdMetricId: 'band',
      evaluationPeriods: 4,
      datapointsToAlarm: 3,
      comparisonOperator: 'GreaterThanUpperThreshold',
    },
    c.watchUsage,
  );
}
