from support.records import record, text, write

r = text(record()).encode()
write("a.json", b"".join([
    b'{"a":\r\n',
    r,
]))
