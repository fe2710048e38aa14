import datetime
from support.records import lines, record, write

now = datetime.datetime.now(datetime.timezone.utc)
write("a.json", lines(*[record(timestamp=(now - datetime.timedelta(minutes=m)).strftime(
    "%Y-%m-%dT%H:%M:%SZ")) for m in [2, 60 * 24 * 8, 60 * 24 * 15]]))
