import { CfnCondition, CfnRule, Fn, ICfnConditionExpression, Stack } from 'aws-cdk-lib';
import { Parameters } from './parameters';

/* What the parameters switch on. */
export function addConditions(stack: Stack, p: Parameters) {
  const condition = (name: string, expression: ICfnConditionExpression) =>
    new CfnCondition(stack, name, { expression });
  const is = (parameter: keyof Parameters, value: string) =>
    Fn.conditionEquals(p[parameter].valueAsString, value);
  const isSet = (parameter: keyof Parameters) => Fn.conditionNot(is(parameter, ''));
  const isNumber = (parameter: keyof Parameters, value: number) =>
    Fn.conditionEquals(p[parameter].value, value);

  const metricsAreHere = condition(
    'MetricsAreHere',
    Fn.conditionOr(
      is('CloudWatchRegion', ''),
      is('CloudWatchRegion', stack.region),
      is('Publisher', 'emf'),
    ),
  );

  new CfnRule(stack, 'ExistingBucketHasAName', {
    ruleCondition: is('CreateBucket', 'false'),
    assertions: [
      {
        assert: isSet('LogBucketName'),
        assertDescription: 'With CreateBucket=false, LogBucketName must name the existing bucket',
      },
    ],
  });

  return {
    makeBucket: condition('MakeBucket', is('CreateBucket', 'true')),
    defaultBucketName: condition('DefaultBucketName', is('LogBucketName', '')),
    hasEventTopic: condition('HasEventTopic', isSet('EventTopicArn')),
    hasKeyPrefix: condition('HasKeyPrefix', isSet('KeyPrefix')),
    hasKmsKey: condition('HasKmsKey', isSet('KmsKeyArn')),
    expireLogs: condition('ExpireLogs', Fn.conditionNot(isNumber('LogExpirationDays', 0))),
    hasCloudWatchRegion: condition('HasCloudWatchRegion', isSet('CloudWatchRegion')),
    metricsAreHere,
    watchUsage: condition('WatchUsage', Fn.conditionAnd(metricsAreHere, is('UsageAlarms', 'true'))),
    chooseMetrics: condition('ChooseMetrics', isSet('Metrics')),
    publishesEmf: condition('PublishesEmf', is('Publisher', 'emf')),
    resolveProfiles: condition('ResolveProfiles', is('ResolveInferenceProfiles', 'true')),
    reserveConcurrency: condition(
      'ReserveConcurrency',
      Fn.conditionNot(isNumber('ReservedConcurrency', -1)),
    ),
    useLedger: condition('UseLedger', is('Ledger', 'true')),
    identityIsPath: condition('IdentityIsPath', is('LedgerIdentity', 'path')),
    functionConsumes: condition('FunctionConsumes', is('Consumer', 'function')),
    hasAlarmTopic: condition('HasAlarmTopic', isSet('AlarmTopicArn')),
  };
}

export type Conditions = ReturnType<typeof addConditions>;

/* One of two values, by a condition; without a second one the property is left out. */
export function choose<T>(condition: CfnCondition, yes: T, no?: T): T {
  const otherwise = no === undefined ? { Ref: 'AWS::NoValue' } : no;
  return Fn.conditionIf(condition.logicalId, yes, otherwise) as unknown as T;
}
