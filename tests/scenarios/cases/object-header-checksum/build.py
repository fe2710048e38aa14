import struct
import zlib
from support.records import lines, member, record, write

r = lines(record())
for name, flags, fields in [("plain", 0x02, b""), ("name", 0x0A, b"n.json\0"),
                            ("extra", 0x06, b"\x02\0ab"),
                            ("all", 0x1E, b"\x02\0abn.json\0comment\0")]:
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\1\2\3\4\0\x03" + fields
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    write("logs/%s.gz" % name, member(r, header=head))
