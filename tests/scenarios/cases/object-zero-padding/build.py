from support.records import gz, lines, record, write

r = lines(record())
write("logs/a.gz", gz(r) + b"\0" * 512)
write("logs/b.gz", gz(r) + b"\0")
write("logs/c.gz", gz(r) + b"\0" * 1000000)
