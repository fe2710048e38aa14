from support.records import lines, record, text, write

whole = text(record())
write("a.json", lines(*[part for n in range(1, len(whole)) for part in (whole[:n], whole)]))
