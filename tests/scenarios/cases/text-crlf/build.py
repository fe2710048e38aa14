from support.records import record, text, write

r = text(record()).encode()
write("a.json", b"".join([
    r,
    b'\r\n',
    r,
    b'\r\n',
]))
