from support.records import lines, member, record, write

r = lines(record())
write("logs/extra.gz", member(r, header=b"\x1f\x8b\x08\x04\1\2\3\4\2\xff\x05\0ab\x01\0c"))
write("logs/name.gz", member(r, header=b"\x1f\x8b\x08\x08\1\2\3\4\2\xff" + b"n" * 70000 + b"\0"))
write("logs/comment.gz", member(r, header=b"\x1f\x8b\x08\x10\1\2\3\4\2\xffcomment\0"))
write("logs/all.gz", member(r, header=b"\x1f\x8b\x08\x1d\1\2\3\4\2\xff\x02\0ab" + b"n\0c\0"))
