from support.records import lines, raw, record, write
body = '{"inputBodyJson":"%s","inputTokenCount":10}' % ("lorem \\\" ipsum } " * 300000)
write("a.json", lines(raw(input=body), record(), '{"x":"' + "y" * 3000000, record()))
