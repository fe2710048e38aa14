from support.records import record, text, write

r = text(record()).encode()
write("a.json", b"".join([
    r,
    b'\nHTTP/1.1 500 {"x":1}\n',
    r,
    b'\n\x00\x00\x00\n',
    r,
]))
