from lib import record, write

r = record().encode()
write("a.json", b"".join([
    b'{"a":\r\n',
    r,
]))
