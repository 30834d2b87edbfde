"""The ledger by itself; what a node makes of it: test_node.py."""

import pytest
from sqlalchemy import text

from fanogan_tf.errors import UserError
from fanogan_tf.reading.ledger import Ledger, OtherContent, State


def test_a_ledger_of_an_earlier_version(tmp_path):
    """It gets the column that it has not, and keeps its rows."""
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    before = Ledger(url)
    before.enter("1.1", "1", "A", tmp_path, "d")
    with before.sessions.begin() as session:
        session.execute(text("ALTER TABLE instances DROP COLUMN certainly_normal"))
    after = Ledger(url)
    after.scored(after.rows()[0], 1.0, 0.5, False, True)
    assert after.rows()[0].certainly_normal is True


def test_retries_wait_longer_each_time(tmp_path):
    moment = [1000.0]
    ledger = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", retries=3, now=lambda: moment[0])
    assert ledger.enter("1.1", "1", "A", tmp_path, "d") and not ledger.enter("1.1", "1", "A", tmp_path, "d")
    with pytest.raises(OtherContent):
        ledger.enter("1.1", "1", "A", tmp_path, "other")
    waits = []
    while (row := ledger.rows()[0]).state == State.RECEIVED:
        ledger.later(row, "no")
        waits.append(ledger.rows()[0].due - moment[0])
        moment[0] += 1.0
        assert ledger.next(State.RECEIVED) is None
    assert waits[:3] == [2.0, 4.0, 8.0] and ledger.rows()[0].reason == "no; given up after 4 tries"


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.sqlite", "nonsense", "oracle://scott:tiger@db/x"])
def test_a_ledger_that_cannot_be_opened(url):
    with pytest.raises(UserError, match=r"^--ledger: that database cannot be opened \(.+\); check its address$") as raised:
        Ledger(url)
    assert "tiger" not in str(raised.value)
