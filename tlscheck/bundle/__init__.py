"""Evidence that can be checked again: a scan in one file with the bytes that it was read from.

Bytes in, bytes out: nothing here reads a file, looks at anything or knows what time it is.
"""
