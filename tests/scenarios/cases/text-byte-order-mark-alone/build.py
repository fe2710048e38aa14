from lib import record, write

r = record().encode()
write("a.json", b"".join([
    b'\xef\xbb\xbf',
]))
