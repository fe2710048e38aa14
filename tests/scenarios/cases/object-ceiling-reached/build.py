from support.records import gz, lines, record, write

r = lines(record())
write("logs/a", r * 2)
write("logs/b.gz", gz(r * 2))
write("logs/c.gz", gz(r) + gz(r))
