"""The replication rules, without I/O: standard library only.

Read in this order: ``version`` (which change wins), ``control`` (what an item carries), ``policy`` (where an item may
live), ``change`` (a stream record), ``routing`` (what the listener decides), ``writes`` (conditional writes as values),
``anonymize`` (what a stub shows), ``events`` (the wire format).
"""
