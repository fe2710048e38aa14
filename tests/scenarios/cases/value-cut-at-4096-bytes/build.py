from support.records import lines, raw, write

VALUES = [
    b"a" * 4096, b"b" * 4097, b"c" * 4095 + b"\xc3\xa9", b"d" * 4094 + b"\xc3\xa9",
    b"e" * 4093 + b"\xf0\x9f\x98\x80", b"f" * 4095 + b"\\ud83d\\ude00",
    b"g" * 4094 + b"\xff", b"h" * 4093 + b"\xff", b"i" * 100000,
]
write("a.json", lines(*[
    raw(accountId='"%d"' % i, operation=b'"' + v + b'"') for i, v in enumerate(VALUES)]))
