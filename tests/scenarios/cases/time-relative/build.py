import datetime
from support.records import lines, record, write

now = datetime.datetime.now(datetime.timezone.utc)
AGO = [2, 3, 30, 40, 60 * 24 * 8, 60 * 24 * 15]
write("a.json", lines(*[record(timestamp=(now - datetime.timedelta(minutes=m)).strftime(
    "%Y-%m-%dT%H:%M:%SZ")) for m in AGO]))
