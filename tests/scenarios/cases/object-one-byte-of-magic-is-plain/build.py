from lib import gz, lines, member, record, write

r = lines(record())
write("logs/a.gz", b"\x1f")
write("logs/b.gz", b"\x1f\n" + r)
