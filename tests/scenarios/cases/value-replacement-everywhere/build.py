from support.records import lines, raw, write
odd = b'"a\xff\\ud800"'
write("a.json", lines(raw(accountId=odd, region=odd, inferenceRegion=odd, modelId=b'"amazon.\xff"',
                          requestMetadata=b'{"k":' + odd + b"}",
                          identity=b'{"arn":"arn:aws:iam::1:role/\xff\xfe"}')))
