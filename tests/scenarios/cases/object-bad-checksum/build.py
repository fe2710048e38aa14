from support.records import gz, lines, member, record, write

r = lines(record())
write("logs/crc.gz", member(r, crc=1))
write("logs/length.gz", member(r, length=len(r) + 1))
write("logs/second.gz", gz(r) + member(r, crc=0) + gz(r))
write("logs/empty.gz", member(b"", crc=1))
write("logs/good.gz", gz(r))
