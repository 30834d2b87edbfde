"""The readers' page in a real browser: Debian's Chromium, where it is installed, driven by Playwright."""

import csv
import re
import shutil
import socket
import threading

import pytest

from fanogan_tf.reading.page.application import application
from fanogan_tf.reading.page.users import Users
from fanogan_tf.reading.worklist import Filter, WorkList
from tests.reading.test_page import PASSWORD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium (Debian: chromium) is not installed"),
]


@pytest.fixture(scope="module")
def address(ledger, folder):
    import uvicorn

    users = Users(folder / "users.txt")
    users.add("ada", PASSWORD)
    listening = socket.create_server(("127.0.0.1", 0))
    page = application(ledger, folder, users)
    serving = uvicorn.Server(uvicorn.Config(page, log_level="warning", access_log=False))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser, address):
    """Logged in, at 1280x800; whatever asks somebody else, or breaks, fails the test."""
    made = browser.new_page(viewport={"width": 1280, "height": 800})
    strange = []
    made.on("request", lambda request: strange.append(request.url) if not request.url.startswith((address, "data:")) else None)
    made.on("console", lambda message: strange.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: strange.append(str(error)))
    made.goto(address)
    assert not faults(made)
    made.get_by_label("Name").fill("ada")
    made.get_by_label("Password").fill(PASSWORD)
    made.get_by_role("button", name="Log in").click()
    yield made
    made.close()
    assert not strange


def faults(page):
    """What axe-core finds serious or critical, once the page has its colors: without them it takes the ground for white."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_load_state("load")
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def drawn(page):
    page.wait_for_selector("#film[data-drawn]")
    return page.evaluate(
        "() => Array.from(film.getContext('2d').getImageData(0, 0, film.width, film.height).data).reduce((a, b) => a + b)"
    )


def in_order(page):
    return [re.search(r"uid=([0-9.]+)", link.get_attribute("href"))[1] for link in page.locator("tbody a").all()]


def test_sort_filter_and_fold(page, ledger):
    assert not faults(page)
    rows = WorkList(ledger).rows(Filter())
    order = [row.study for row in rows if not row.certainly_normal] + [row.study for row in rows if row.certainly_normal]
    assert in_order(page) == order
    page.get_by_label("Sorted by").select_option("date")
    page.get_by_label("State").select_option("sent")
    page.get_by_role("button", name="Show").click()
    kept = WorkList(ledger).rows(Filter(state="sent", sort="date"))
    assert set(in_order(page)) == {row.study for row in kept} and "1.2.6" not in in_order(page)
    last = page.locator("details tbody tr").last
    assert last.is_visible()
    page.locator("summary").click()
    assert not last.is_visible() and page.locator("summary").is_visible()


def test_a_film_its_map_and_keys(page, ledger):
    page.locator("tbody a").first.click()
    with_map = drawn(page)
    assert not faults(page)
    page.keyboard.press("o")
    page.wait_for_function(f"() => ({_SUM}) !== {with_map}")
    assert page.get_by_label("Map").input_value() == "0"
    page.get_by_label("Map").fill("100")
    page.wait_for_function(f"() => ({_SUM}) > {with_map} || ({_SUM}) < {with_map}")
    before = page.locator("#film").bounding_box()["width"]
    page.get_by_label("Zoom").fill("2")
    page.wait_for_function(f"() => film.getBoundingClientRect().width > {1.9 * before}")
    page.get_by_label("Width").fill("20")
    page.keyboard.press("r")
    page.wait_for_function(f"() => ({_SUM}) === {with_map}")
    first = page.url
    page.keyboard.press("n")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("p")
    page.wait_for_url(first)


_SUM = "Array.from(film.getContext('2d').getImageData(0, 0, film.width, film.height).data).reduce((a, b) => a + b)"


def test_a_call_and_its_export(page, ledger, tmp_path):
    page.locator("tbody a").nth(1).click()
    drawn(page)
    page.get_by_label("Note").fill("opacity, nor p")  # Letters that are keys elsewhere.
    page.get_by_label("abnormal", exact=True).check()
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("ada: abnormal").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Calls as CSV").click()
    download.value.save_as(tmp_path / "calls.csv")
    (line,) = csv.DictReader((tmp_path / "calls.csv").open())
    assert (line["reader"], line["call"], line["note"]) == ("ada", "abnormal", "opacity, nor p")
    page.get_by_role("link", name="Agreement").click()
    assert page.get_by_text("of 1,").is_visible() and not faults(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Password").wait_for()
