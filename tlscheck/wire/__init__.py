"""Bytes on the wire, sans I/O: messages, records and the registries. Standard library only."""
