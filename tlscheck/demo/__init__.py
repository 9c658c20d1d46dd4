"""A small clinic on loopback to try everything on: real servers, planted faults, no network."""
