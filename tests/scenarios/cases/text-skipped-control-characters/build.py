from support.records import lines, raw, record, write

odd = bytes(c for c in range(32) if c != 10) + b"\x7f\xff\xc0"
write("a.json", lines(raw(requestId=b'"' + odd + b'"'), record()))
