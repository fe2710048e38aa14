import json
from support.records import record, write

pretty = json.dumps(record(), indent=4)
write("a.json", pretty.replace("\n", "\r\n") * 2)
