from support.records import gz, lines, record, write

r = lines(record())
write("logs/a.json.gz", gz(r * 3))
