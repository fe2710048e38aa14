from support.records import gz, lines, record, write

r = lines(record())
write("logs/a.gz", b"")
write("logs/b.gz", gz(b""))
write("logs/c.gz", gz(b"") + gz(b"") + b"\0" * 9)
write("logs/d.json", r)
