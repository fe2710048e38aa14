from lib import write
write("a.json", b' \n\t\r\n ')
