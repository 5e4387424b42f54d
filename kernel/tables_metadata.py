"""Metadata: what every table of the one database is registered with."""

from sqlalchemy import MetaData

metadata = MetaData()
