from support.records import record, text, write
extra = ",".join('"member%d":{"inputTokenCount":%d}' % (i, i) for i in range(50000))
write("a.json", "{" + extra + "," + text(record())[1:] + text(record())[:-1] + "," + extra + "}")
