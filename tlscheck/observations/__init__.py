"""What can be known: frozen dataclasses, and how bytes become them. One module a subject."""
