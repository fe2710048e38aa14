from support.records import gz, lines, record, write

r = lines(record())
write("logs/a.json.gz", r)
write("logs/b.txt", gz(r))
write("logs/c", r * 2)
