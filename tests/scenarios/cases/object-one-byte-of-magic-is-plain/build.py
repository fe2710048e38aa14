from support.records import lines, record, write

r = lines(record())
write("logs/a.gz", b"\x1f")
write("logs/b.gz", b"\x1f\n" + r)
