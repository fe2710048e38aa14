import os
from support.records import lines, record, write

r = lines(record())
import socket

write("logs/a.json", r)
os.mkfifo("logs/pipe")
socket.socket(socket.AF_UNIX).bind("logs/socket")
