from support.records import gz, lines, member, record, write

r = lines(record())
data = bytearray(member(r * 50))
data[10] |= 0x06            # block type 3 does not exist
write("logs/type.gz", bytes(data))
write("logs/method.gz", b"\x1f\x8b\x07" + gz(r)[3:])
stored = bytearray(member(r, 0))
stored[13] ^= 0xFF          # a stored block's length no longer matches its complement
write("logs/stored.gz", bytes(stored))
write("logs/magic-only.gz", b"\x1f\x8b" + r)
