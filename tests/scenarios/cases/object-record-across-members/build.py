from support.records import lines, member, record, write

r = lines(record())
write("logs/a.gz", b"".join(member((r + r)[i:i + 7]) for i in range(0, len(r) * 2, 7)))
