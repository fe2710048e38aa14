import os
from support.records import lines, record, write

r = lines(record())
write("logs/a.json", r)
write("else/b.json", r)
os.symlink("../else", "logs/folder")
os.symlink("../else/b.json", "logs/file")
os.symlink("nowhere", "logs/dangling")
os.symlink(".", "logs/loop")
