"""``domicile secrets``: what must not be in Terraform's state."""
# ruff: noqa: PLC0415  # imports stand in the commands, so that each start pays only for what it uses

from __future__ import annotations

import typer

from domicile.cli.options import DEFAULT_FILE, DeploymentFile, Profiles, accounts_of

app = typer.Typer(no_args_is_help=True, help="The secrets that Terraform must not see.")


@app.callback()
def _group() -> None:
    """Make ``init`` a sub-command: typer runs a group's only command as the group itself."""


@app.command()
def init(file: DeploymentFile = DEFAULT_FILE, profiles: Profiles = None) -> None:
    """Create the key of the strategy hash, with the same value in each Region. Where it is there it is kept."""
    from domicile import secrets
    from domicile.deployment import Deployment
    from domicile.naming import Names
    from domicile.progress import progress

    deployment = Deployment.load(file)
    name = Names(deployment.name, region="", account="").hash_secret
    accounts = accounts_of(profiles)
    clients = {region: accounts.client("secretsmanager", region) for region in deployment.regions}
    plan = secrets.plan(name, clients)
    for action in plan.actions:
        typer.echo(action)
    if plan.absent:
        with progress().step(f"Creating {name} in {len(plan.absent)} Regions"):
            secrets.apply(plan, clients)
