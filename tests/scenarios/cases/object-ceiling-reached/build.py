from lib import gz, lines, member, record, write

r = lines(record())
write("logs/a", r * 2)
write("logs/b.gz", gz(r * 2))
write("logs/c.gz", gz(r) + gz(r))
