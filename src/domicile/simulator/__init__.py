"""The replication in one process: the steps that the zips carry, over Regions in memory where everything goes wrong.

One seed decides a whole schedule. ``faults`` says what may go wrong, ``schedule`` lets it, and ``checkers`` judge what
came of it; they know of the system only what ``history`` holds: what applications wrote and what observers saw.
"""
