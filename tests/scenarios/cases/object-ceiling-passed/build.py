from support.records import gz, lines, record, write

r = lines(record())
write("logs/a", r * 2)
write("logs/b.gz", gz(r * 2))
write("logs/c.gz", gz(r) + gz(r))
write("logs/d.gz", gz(r))
write("logs/bomb.gz", gz(b" " * 50000000))
