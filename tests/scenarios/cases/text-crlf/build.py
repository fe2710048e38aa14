from lib import record, write

r = record().encode()
write("a.json", b"".join([
    r,
    b'\r\n',
    r,
    b'\r\n',
]))
