import os
import signal
from support.records import gz, lines, record

os.mkfifo("pipe")
if os.fork() == 0:              # writes when somebody reads, and never waits for long
    signal.alarm(30)
    with open("pipe", "wb") as pipe:
        pipe.write(gz(lines(record()) * 2) + gz(lines(record())))
    os._exit(0)
