from support.records import lines, raw, record, write

values = [b'"Con' + bytes([c]) + b'verse"' for c in range(32) if c != 10]
write("a.json", lines(*[raw(operation=value) for value in values], record()))
