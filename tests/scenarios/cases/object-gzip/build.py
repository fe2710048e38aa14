from lib import gz, lines, member, record, write

r = lines(record())
write("logs/a.json.gz", gz(r * 3))
