import os
from support.records import lines, record

os.mkdir("logs")
for name in (b"logs/\xff\xfe", b"logs/new\nline", b"logs/-", b"logs/--help"):
    with open(name, "wb") as file:
        file.write(lines(record()))
