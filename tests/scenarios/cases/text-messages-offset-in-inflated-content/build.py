from support.records import gz, write
write("a.gz", gz(b"\xef\xbb\xbf" + b" " * 123450) + gz(b"  \n  {oops}"))
