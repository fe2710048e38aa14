import os
os.mkdir("logs")
