from support.records import lines, record, write

r = lines(record())
COUNTED = [
    'AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/10/20261101T103100000Z_0a1b2c.json.gz',
    'pre/fix/AWSLogs/123456789012/BedrockModelInvocationLogs/a.json',
    'AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/database/a.json',
    'data/AWSLogs/123456789012/BedrockModelInvocationLogs/a.json',
    'data/a.json',
    'x/data/BedrockModelInvocationLogs/us/a.json',
    'BedrockModelInvocationLogs/data/AWSLogs/123456789012/BedrockModelInvocationLogs/us/a.json',
    'amazon-bedrock-logs-permission-check.d/a.json',
    'not-amazon-bedrock-logs-permission-check',
    'AWSLogs/123456789012/a.json',
    'AWSLogs/o-abc123/111122223333/CloudTrail/a.json',
    'AWSLogs/CloudTrail/1/a.json',
    'AWSLogs/123456789012/CloudTrail/AWSLogs/9/BedrockModelInvocationLogs/a.json',
    'awslogs/1/CloudTrail/a.json',
    'XAWSLogs/1/CloudTrail/a.json',
    'us-east-1/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/b.json',
]
SKIPPED = [
    'AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/10/data/r_input.json.gz',
    'AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/10/data/r_output.json.gz',
    'AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/10/data/r_input_media_00.pdf',
    'AWSLogs/123456789012/BedrockModelInvocationLogs/data/x/y.json',
    'BedrockModelInvocationLogs/data/z.json',
    'amazon-bedrock-logs-permission-check',
    'AWSLogs/123456789012/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check',
    'k/amazon-bedrock-logs-permission-check.json',
    'AWSLogs/123456789012/CloudTrail/us-east-1/a.json',
    'pre/AWSLogs/1/elasticloadbalancing/x/a.json',
    'AWSLogs/9/BedrockModelInvocationLogs/AWSLogs/123456789012/CloudTrail/a.json',
    'AWSLogs/123456789012/bedrockmodelinvocationlogs/a.json',
]
for key in COUNTED:
    write("logs/" + key, r)
for key in SKIPPED:
    write("logs/" + key, b"\x1f\x8b cannot be read")
