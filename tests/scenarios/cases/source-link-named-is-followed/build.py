import os
from support.records import lines, record, write

r = lines(record())
write("logs/a.json", r)
write("else/b.json", r)
os.symlink("logs", "link")
os.symlink("else/b.json", "file")
