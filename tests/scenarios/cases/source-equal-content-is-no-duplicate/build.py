import os
from support.records import lines, record, write

r = lines(record())
write("logs/a.json", r)
write("logs/b.json", r)
os.link("logs/a.json", "logs/hard")
