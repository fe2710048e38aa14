from support.records import gz, lines, member, record, write

r = lines(record())
write("logs/a.gz", gz(r) + gz(r * 2) + gz(b"") + member(r, 0) + gz(b"") + gz(r, 9))
