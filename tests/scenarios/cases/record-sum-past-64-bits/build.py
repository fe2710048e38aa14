from support.records import lines, raw, write
one = raw(input='{"inputTokenCount":9007199254740992,"cacheReadInputTokenCount":9007199254740992}')
write("a.json", lines(*[one] * 2100))
