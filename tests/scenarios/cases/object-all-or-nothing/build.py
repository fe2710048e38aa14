from support.records import gz, lines, record, write

r = lines(record())
many = gz(r * 200000)
write("logs/late.gz", many[:-1])
write("logs/late-crc.gz", many[:-8] + bytes([many[-8] ^ 1]) + many[-7:])
write("logs/good.gz", gz(r * 3))
