"""Copying a table's items into another one of the deployment: ``domicile backfill``."""
