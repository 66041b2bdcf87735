"""The three steps of the replication over ports: the very code that the zips and the simulator run.

``listener`` turns stream records into events, ``replicator`` applies events, ``anonymizer`` turns the origin's copy
into a stub. Decisions come from ``domicile.core``; every effect goes through a port of ``ports``.
"""
