"""Mail: what it says, how it is put together, and how a relay takes it. Nothing here looks, judges
or keeps.
"""
