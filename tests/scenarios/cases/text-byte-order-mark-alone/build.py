from lib import write
write("a.json", b'\xef\xbb\xbf')
