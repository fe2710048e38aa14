import json
from lib import record, write

pretty = json.dumps(json.loads(record()), indent=4)
write("a.json", pretty.replace("\n", "\r\n") * 2)
