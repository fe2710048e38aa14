from support.records import gz, lines, record, write

r = lines(record())
for name, tail in [("text", b"junk"), ("newline", b"\n"), ("half-magic", b"\x1f"),
                   ("magic", b"\x1f\x8b"), ("zeros-then-text", b"\0\0\0x"),
                   ("zeros-then-member", b"\0\0" + gz(r)),
                   ("plain", r), ("header", gz(r)[:10])]:
    write("logs/%s.gz" % name, gz(r) + tail)
write("logs/good.gz", gz(r))
