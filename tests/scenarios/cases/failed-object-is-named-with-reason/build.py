from support.records import gz, lines, record, write

write("logs/cut.gz", gz(lines(record()))[:-3])
write("logs/good.json", lines(record()))
