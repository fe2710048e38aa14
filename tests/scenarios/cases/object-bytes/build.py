from support.records import lines, record, write

r = lines(record())
write("logs/a", r)
write("logs/b.gz", b"\x1f\x8b\x08")
write("logs/c.json", b"\n" * 100)
