from lib import lines, record, write

whole = record()
write("a.json", lines(*[part for n in range(1, len(whole)) for part in (whole[:n], whole)]))
