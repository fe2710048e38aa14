import re
from support.records import record, text, write

tokens = re.findall(r'"[^"]*"|[0-9]+|[{}:,]', text(record()))
write("a.json", " \t".join("\r\n:\n\n" if t == ":" else t for t in tokens))
