"""What is good HTTP on an https endpoint, and around its page."""

from tlscheck.rules.http import answers, around

MODULES = (answers, around)
