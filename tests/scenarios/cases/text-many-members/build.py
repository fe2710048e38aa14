from lib import record, write
extra = ",".join('"member%d":{"inputTokenCount":%d}' % (i, i) for i in range(50000))
write("a.json", "{" + extra + "," + record()[1:] + record()[:-1] + "," + extra + "}")
