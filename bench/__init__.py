"""The bench: what a look costs and what it finds, beside the peers, on real servers."""
