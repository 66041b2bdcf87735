"""ShopEase on the deployment: its page in a real Chromium while a Region is cut off, and its audit."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from domicile.deployment import Deployment
from domicile.local import api
from domicile.local.api import LocalAws
from domicile.project import find_root
from examples.shopease import fleet
from examples.shopease.audit import Audit
from examples.shopease.traffic import Ledger, Written, marked, marks_in
from tests.local.failures import IRELAND, MUMBAI, NAME, VIRGINIA
from tests.local.regions import DEADLINE_S, Regions, eventually
from tests.plane import free_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ANA = {"authority": "EU", "name": "<b>Ana</b> Horvat", "email": "ana@example.eu"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser; without one the test is skipped, unless `DOMICILE_BROWSER=required` says that there must be."""
    found = os.environ.get("DOMICILE_CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        missing = "there is no Chromium: `make browser` installs it, or DOMICILE_CHROMIUM names it"
        if os.environ.get("DOMICILE_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture
def services(local_aws: LocalAws, regions: Regions, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The service of every Region, by its address."""
    found = {region: f"http://127.0.0.1:{free_port()}" for region in regions.all}
    with fleet.running(NAME, found, local_aws.endpoint, tmp_path):
        yield found


@pytest.fixture
def page(chromium: str, services: dict[str, str]) -> Iterator[Page]:
    """The page of Virginia's service, on which no script fails."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        failed: list[Any] = []
        page.on("pageerror", lambda error: failed.append(error))  # noqa: PLW0108 - it takes no built-in
        page.goto(services[VIRGINIA])
        yield page
        browser.close()
    assert failed == []


def test_the_page_shows_every_region_and_the_one_that_is_cut_off(page: Page, services: dict[str, str]) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    column = {region: page.locator(f'[data-region="{region}"]') for region in services}
    for region in services:
        _in_state(column[region], "in service")

    http = httpx.Client(timeout=DEADLINE_S, trust_env=False)
    customer = http.post(f"{services[VIRGINIA]}/customers", json=ANA).json()["customer_id"]
    expect(_item(column[IRELAND], customer, "full")).to_contain_text(f"name: {ANA['name']}")
    for region in (MUMBAI, VIRGINIA):
        stub = _item(column[region], customer, "stub")
        expect(stub).to_contain_text("***@example.eu")
        expect(stub).not_to_contain_text("Ana")
    expect(_counter(column[VIRGINIA], "requests")).to_have_text("1")

    api.faults_add({"service": "dynamodb", "region": IRELAND, "code": "ServiceUnavailable"})
    _in_state(column[IRELAND], "cut off")
    assert http.get(f"{services[IRELAND]}/products").status_code == 200, "its service goes on"
    expect(_counter(column[IRELAND], "reads-inventory")).to_have_text(f"{MUMBAI} 1")
    refused = http.get(f"{services[VIRGINIA]}/customers/{customer}?full=true")
    assert (refused.status_code, refused.json()["kind"]) == (503, "HomeRegionUnavailable")
    expect(_counter(column[VIRGINIA], "errors")).to_have_text("HomeRegionUnavailable 1")
    held = http.post(f"{services[VIRGINIA]}/customers", json=ANA).json()
    assert held["held_in"] == VIRGINIA
    expect(_item(column[VIRGINIA], held["customer_id"], "held")).to_contain_text(IRELAND)
    _in_state(column[VIRGINIA], "in service")

    api.faults_clear()
    _in_state(column[IRELAND], "in service")
    expect(_item(column[IRELAND], held["customer_id"], "full")).to_contain_text(ANA["name"])
    expect(_item(column[VIRGINIA], held["customer_id"], "stub")).to_be_visible()


def test_the_audit_sees_what_is_lost_and_what_leaked(local_aws: LocalAws, regions: Regions, tmp_path: Path) -> None:
    deployment = Deployment.load(find_root(Path(__file__)) / "domicile.yaml")
    customer_id, name = f"c-{secrets.token_hex(6)}", marked("Ana")
    customer = {"customer_id": {"S": customer_id}, "localization_authority": {"S": "EU"}, "name": {"S": name}}
    regions.put(IRELAND, "customers", customer)
    written = Written(IRELAND, {"name": name})
    ledger = Ledger(customers={customer_id: written}, marks=_allowed(name, IRELAND))
    audit = Audit(deployment, local_aws.endpoint, ledger)
    eventually(audit.missing, lambda found: not found, "the customer at home and its stubs")
    log = tmp_path / "service.log"
    log.write_text("nothing\n", encoding="utf-8")
    assert audit.leaks([log]) == []

    written.values["name"] = "Another"
    assert audit.missing() == [f"customers in {IRELAND}: 1 not as acknowledged"]
    log.write_text(name, encoding="utf-8")
    assert audit.leaks([log]) == ["log service.log in no Region: 1 sensitive texts"]
    ledger.marks = _allowed(name, VIRGINIA)
    found = audit.leaks([])
    assert [leak.split(":")[0] for leak in found] == [f"streams in {IRELAND}", f"table {NAME}-customers in {IRELAND}"]
    ledger.marks = _allowed(marked("never written"), IRELAND)
    assert len(audit.leaks([])) == 1, "a search that finds nothing at all is told apart from a clean one"
    regions.delete(IRELAND, "customers", {"customer_id": customer["customer_id"]})
    regions.await_absence("customers", {"customer_id": customer["customer_id"]})


def _allowed(text: str, region: str) -> dict[str, set[str]]:
    return {mark: {region} for mark in marks_in(text)}


def _in_state(column: Locator, state: str) -> None:
    expect(column.locator(".state")).to_have_text(state)


def _item(column: Locator, key: str, kind: str) -> Locator:
    return column.locator(f'.item[data-key="{key}"][data-kind="{kind}"]')


def _counter(column: Locator, counter: str) -> Locator:
    return column.locator(f'[data-counter="{counter}"]')
