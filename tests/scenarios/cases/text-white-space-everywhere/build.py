import re
from lib import record, write

tokens = re.findall(r'"[^"]*"|[0-9]+|[{}:,]', record())
write("a.json", " \t".join("\r\n:\n\n" if t == ":" else t for t in tokens))
