import pickle
import time

from fanogan_tf.archive import workers
from fanogan_tf.archive.workers import Ticker, counted, shown


def test_copies_count_for_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_SECONDS", 0.0)
    here = Ticker(str(tmp_path))
    there = pickle.loads(pickle.dumps(here))  # As Beam hands it to a worker.
    for ticker in (here, there, here):
        ticker()
    assert counted(tmp_path) == 3 and len(list(tmp_path.iterdir())) == 2


def test_reports_now_and_then_and_loses_nothing(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ticker = Ticker(str(tmp_path))
    told = []
    for _ in range(10):
        ticker()
        told.append(counted(tmp_path))
        now[0] += 0.2
    assert told == [1, 1, 1, 4, 4, 4, 7, 7, 7, 10]


def test_without_a_folder_nothing_is_reported():
    Ticker("")()


def test_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(workers, "_SECONDS", 0.01)
    ticker = Ticker(str(tmp_path))
    with shown(tmp_path, 7, "image"):
        ticker()
    assert "scoring: 100%" in (said := capsys.readouterr().err) and "7/7" in said


def test_bar_of_a_failed_run_is_not_full(tmp_path, capsys):
    try:
        with shown(tmp_path, 7, "image"):
            raise OSError
    except OSError:
        assert "7/7" not in capsys.readouterr().err
