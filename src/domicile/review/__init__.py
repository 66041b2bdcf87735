"""The proof of residency: from the emitted resources alone, which item can leave which Region.

It knows the protocol's words and what each step of it sends to whom, but nothing of how this project names, routes or
permits: a deployment that was changed by hand is read like any other.
"""
