"""Native or localized replication: what a table's requirements and its load speak for. Nothing here does I/O."""
