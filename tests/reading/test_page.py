"""The readers' page over a node's ledger, without a browser; attacks from outside included."""

import csv
import datetime
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from fanogan_tf.errors import UserError
from fanogan_tf.reading.agreement import Agreement, as_csv
from fanogan_tf.reading.ledger import Call, Instance, Ledger, State
from fanogan_tf.reading.page import server
from fanogan_tf.reading.page.application import application
from fanogan_tf.reading.page.users import Users
from fanogan_tf.reading.views import results_of
from fanogan_tf.reading.worklist import Filter, Row, Says, WorkList
from tests.reading.conftest import SCRIPT

PASSWORD = "a long password"


@pytest.fixture
def users(tmp_path):
    known = Users(tmp_path / "users.txt")
    known.add("ada", PASSWORD)
    return known


@pytest.fixture
def stranger(ledger, folder, users):
    return TestClient(application(ledger, folder, users, "http://127.0.0.1:3000"), follow_redirects=False)


@pytest.fixture
def reader(stranger):
    assert login(stranger).headers["location"] == "/"
    return stranger


def token(client, address="/login"):
    return re.search(r'name="token" value="([^"]+)"', client.get(address).text)[1]


def login(client, name="ada", password=PASSWORD):
    return client.post("/login", data={"name": name, "password": password, "token": token(client)})


def studies(page):
    return re.findall(r'href="/study\?uid=([0-9.]+)', page.text)


def test_nothing_without_a_login(stranger):
    for address in ("/", "/study?uid=1.2.1", "/films/1", "/views/1/seen", "/agreement", "/calls.csv"):
        answer = stranger.get(address)
        assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/login", b"")
    assert stranger.post("/call", data={"uid": "1.2.1", "call": "normal"}).status_code == 403
    assert "Doe" not in stranger.get("/login").text


def test_a_wrong_password_and_too_many(stranger):
    for _ in range(5):
        assert login(stranger, password="not the password").status_code == 401
    assert login(stranger).status_code == 429
    assert stranger.get("/").status_code == 303


def test_the_order_of_the_work_list(reader, ledger):
    scored = sorted((row for row in ledger.rows() if row.score is not None), key=lambda row: -row.probability)
    found = [row.study for row in WorkList(ledger).rows(Filter())]
    assert found == [row.study for row in scored] + ["1.2.6"]
    page = reader.get("/")
    sure = [row.study for row in scored if row.certainly_normal]
    assert 0 < len(sure) < 6 and f"certainly normal, says the filter: {len(sure)}" in page.text.lower()
    # Those that are certainly normal come last, in an order of their own.
    assert studies(page) == [study for study in found if study not in sure] + sure
    assert studies(reader.get("/?sort=date"))[0] in ("1.2.6", "1.2.5")


def test_filters(reader):
    assert studies(reader.get("/?state=failed")) == ["1.2.6"]
    assert len(studies(reader.get("/?state=sent"))) == 6
    today = datetime.date.today()
    assert len(studies(reader.get(f"/?since={today}&until={today}"))) == 7
    assert studies(reader.get(f"/?since={today + datetime.timedelta(days=2)}")) == []


def test_a_study(reader, ledger):
    page = reader.get("/study?uid=1.2.1&sort=date").text
    (row,) = [one for one in ledger.rows() if one.study == "1.2.1"]
    assert f"Score {row.score:.4g}, above {100 * row.probability:.1f} % of normal images" in page
    assert "uid=1.2.0" in page.partition("Other studies of the patient")[2]
    assert 'id="previous" rel="prev" href="/study?uid=1.2.2&amp;sort=date"' in page
    assert 'id="next" rel="next" href="/study?uid=1.2.0&amp;sort=date"' in page
    assert 'href="http://127.0.0.1:3000/viewer?StudyInstanceUIDs=1.2.1"' in page
    answer = reader.get(f"/films/{row.id}")
    pixels = np.frombuffer(answer.content, "<u2").reshape(int(answer.headers["X-Rows"]), int(answer.headers["X-Columns"]))
    assert pixels.shape == (20, 16) and pixels.mean() / 32767.5 - 1 == pytest.approx(row.score, abs=0.02)
    for name in ("seen", "restored", "residual"):
        assert reader.get(f"/views/{row.id}/{name}").content.startswith(b"\x89PNG")
    assert "unreadable DICOM" in reader.get("/study?uid=1.2.6").text


def test_a_volume_is_shown_by_a_bscan(reader, ledger, folder):
    """What holds several frames is no film: the page shows the B-scan that was kept of it."""
    (row,) = [one for one in ledger.rows() if one.study == "1.2.6"]
    assert reader.get(f"/films/{row.id}").status_code == 404
    kept = results_of(folder, row)
    kept.mkdir(parents=True)
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(kept / "seen.png")
    answer = reader.get(f"/films/{row.id}")
    assert (answer.headers["X-Rows"], answer.headers["X-Columns"]) == ("3", "4")
    assert np.frombuffer(answer.content, "<u2").tolist() == [257 * value for value in range(12)]


def test_a_call_is_kept(reader, ledger):
    work = WorkList(ledger)
    form = {"uid": "1.2.2", "token": token(reader, "/study?uid=1.2.2")}
    for call, note in (("unsure", "=1+1"), ("abnormal", SCRIPT)):
        assert reader.post("/call?sort=date", data=form | {"call": call, "note": note}).status_code == 303
    assert [(one.reader, one.call, one.note) for one in work.calls("1.2.2")] == [
        ("ada", "unsure", "=1+1"),
        ("ada", "abnormal", SCRIPT),
    ]
    page = reader.get("/study?uid=1.2.2").text
    assert SCRIPT not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert work.row("1.2.2").call.call == "abnormal"
    lines = list(csv.DictReader(io.StringIO(reader.get("/calls.csv").text)))
    assert [(one["study"], one["call"], one["note"]) for one in lines] == [
        ("1.2.2", "unsure", "'=1+1"),
        ("1.2.2", "abnormal", SCRIPT),
    ]
    assert float(lines[0]["score"]) == work.row("1.2.2").score
    # The newest call, abnormal, against what the model says.
    assert f"{int(work.row('1.2.2').anomalous)} of 1" in reader.get("/agreement").text


@pytest.mark.parametrize("given", [{}, {"token": ""}, {"token": "another"}])
def test_a_form_from_elsewhere_changes_nothing(reader, ledger, given):
    before = len(WorkList(ledger).calls())
    assert reader.post("/call", data={"uid": "1.2.1", "call": "normal"} | given).status_code == 403
    assert reader.post("/logout", data=given).status_code == 403
    assert len(WorkList(ledger).calls()) == before and reader.get("/").status_code == 200


def test_calls_of_nothing(reader):
    form = {"token": token(reader, "/")}
    for wrong in ({"uid": "1.9", "call": "normal"}, {"uid": "1.2.1", "call": "maybe"}, {}):
        assert reader.post("/call", data=form | wrong).status_code == 400


def test_attacks(reader, ledger):
    """Path traversal, SQL and scripts in what a visitor or a sender can choose."""
    assert SCRIPT not in reader.get("/").text and "&lt;script&gt;" in reader.get("/").text
    for address in ("/views/1/../../ledger", "/views/1/..%2F..%2Fledger.sqlite", "/views/1/report.dcm", "/static/../users.py"):
        assert reader.get(address).status_code == 404
    assert reader.get("/static/%2e%2e/application.py").status_code == 404
    for text in ("1.2.1' OR '1'='1", "../../etc/passwd", "1.2.1;DROP TABLE instances", SCRIPT):
        assert reader.get("/study", params={"uid": text}).status_code == 404
        page = reader.get("/", params={"state": text, "sort": text, "since": text, "first": text})
        assert page.status_code == 200 and len(studies(page)) == 7 and text not in page.text
    assert reader.get("/?first=99999999999999999999").status_code == 200
    assert len(ledger.rows()) == 7
    policy = reader.get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy


def test_the_session_is_of_this_page_alone(reader):
    reader.cookies.clear()
    answer = login(reader)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    kept = reader.cookies["reading"]
    reader.cookies.clear()
    reader.cookies["reading"] = kept[:-2] + "xx"
    assert reader.get("/").status_code == 303


def test_logging_out(reader):
    assert reader.post("/logout", data={"token": token(reader, "/")}).headers["location"] == "/login"
    assert reader.get("/").status_code == 303


def test_users(tmp_path, monkeypatch, capsys):
    users = Users(tmp_path / "users.txt")
    with pytest.raises(UserError, match=r"^--users=.*users.txt: cannot be read \(No such file"):
        users.check()
    for name in ("", "a b", "../x", "a\nb"):
        with pytest.raises(UserError, match="a name has 1 to 64 letters"):
            users.add(name, PASSWORD)
    with pytest.raises(UserError, match="at least 10 letters"):
        users.add("ada", "short")
    assert not users.path.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    users.ask("ada")
    assert users.path.stat().st_mode & 0o777 == 0o600 and PASSWORD not in users.path.read_text() + capsys.readouterr().out
    users.check()
    assert users.right("ada", PASSWORD) and not users.right("ada", PASSWORD + "x") and not users.right("bob", PASSWORD)
    users.path.write_text("ada plain\n")
    with pytest.raises(UserError, match="entry 1 is no name with a hashed password"):
        users.check()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": "0.0.0.0"}, "others could read passwords and films on the way"),
        ({"certificate": "c.pem"}, "give both, or neither"),
        ({"certificate": "c.pem", "key": "k.pem"}, "--certificate=c.pem: no such file"),
        ({"ohif": "javascript:alert(1)"}, "give an address"),
    ],
)
def test_where_it_must_not_listen(folder, users, given, said):
    asked = {"ohif": "", "host": "127.0.0.1", "port": 0, "certificate": "", "key": ""} | given
    with pytest.raises(UserError, match=said):
        server.serve("sqlite://", folder, users, **asked)


def test_the_page_starts_without_tensorflow():
    loaded = "import sys, fanogan_tf.reading.page.server; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded]).returncode == 0


def test_agreement_by_hand():
    """Seven and eight of ten: kappa (.7 - .5) / (1 - .5), for instance."""
    said = [(Says.ABNORMAL, True)] * 4 + [(Says.NORMAL, False)] * 3 + [(Says.ABNORMAL, False)] * 1 + [(Says.NORMAL, True)] * 2
    found = Agreement.of([*said, (Says.UNSURE, True)])
    # By chance: (5 * 6 + 5 * 4) / 100 = .5.
    assert found.agreed["value"] == 0.7 and found.kappa == pytest.approx(0.4) and found.counts[Says.UNSURE, True] == 1
    assert Agreement.of([(Says.NORMAL, False)]).kappa is None
    assert Agreement.of([(Says.UNSURE, False)]).agreed is None


def test_calls_as_csv_name_nobody():
    row = Row("1.2", "20260101", 0.0, 1, State.SENT, 0.25, 0.5, True, False, "/films/Doe.dcm", None)
    call = Call(study="1.2", reader="ada", call="normal", note="fine", time=0.0)
    assert as_csv([call], {"1.2": row}).splitlines()[1] == "1.2,ada,normal,fine,1970-01-01T00:00:00+00:00,0.25,0.5,anomalous"
    assert as_csv([call], {}).splitlines()[1] == "1.2,ada,normal,fine,1970-01-01T00:00:00+00:00,,,"


def test_a_study_with_one_image_that_the_filter_did_not_pass(tmp_path):
    """Certainly normal is a study only if all its images are; one that failed makes it failed."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}")
    for number in range(3):
        ledger.enter(f"1.{number}", "1", "A", tmp_path, "d")
    first, second, third = ledger.rows()
    ledger.scored(first, 0.1, 0.1, False, True)
    ledger.scored(second, 0.1, 0.2, False, True)
    work = WorkList(ledger)
    assert (work.row("1").state, work.row("1").certainly_normal, work.row("1").probability) == (State.RECEIVED, False, 0.2)
    ledger.failed(third, "broken")
    assert (work.row("1").state, work.row("1").certainly_normal) == (State.FAILED, False)
    ledger.scored(third, 0.1, 0.1, False, True)
    assert (work.row("1").state, work.row("1").certainly_normal) == (State.SCORED, True)
    assert isinstance(work.instances("1")[0], Instance) and work.instances("1")[0].probability == 0.2
