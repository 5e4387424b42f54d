"""Alembic run: the revisions that are missing, each in a transaction of the given engine."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from kernel.migrations.naming import BadSchema
from kernel.migrations.plan import Plan


def configuration(plan: Plan) -> Config:
    """Return Alembic's configuration, made here and read from no file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, plan.versions)))
    return config


def run(engine: Engine, plan: Plan) -> None:
    """Bring the engine's database to the newest revision; the driver's errors pass."""
    config = configuration(plan)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise BadSchema(f"the database's schema cannot be brought to head: {error}") from error
