from support.records import gz, lines, record, write

r = lines(record())
data = gz(r)
for size in range(2, len(data)):
    write("logs/%d.gz" % size, data + data[:size])
