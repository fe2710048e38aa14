from support.records import lines, raw, write
deep = '{"a":[' * 200000 + "1" + "]}" * 200000
body = '{"inputBodyJson":%s,"inputTokenCount":10}' % deep
write("a.json", lines(raw(input=body), deep, raw(x="[" * 1000000 + "]" * 1000000)))
