"""How things are looked at: the only room that talks to the network. One module a subject."""
