"""tlscheck looks at TLS endpoints from outside and answers official checklists with evidence."""

__version__ = "0.1.0"
