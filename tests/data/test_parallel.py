import threading
import time

import pytest

from fanogan_tf.data.parallel import ordered_map


def test_keeps_order_though_threads_overtake():
    def slow_when_even(number):
        time.sleep(0.01 if number % 2 == 0 else 0)
        return number * number

    assert list(ordered_map(slow_when_even, range(20), workers=4, ahead=6)) == [n * n for n in range(20)]


def test_never_runs_further_ahead_than_told():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(lambda number: number, items(), workers=2, ahead=5)
    for number in range(10):
        assert next(results) == number
    assert len(taken) <= 10 + 5
    results.close()


def test_works_ahead_while_the_consumer_is_busy():
    done = threading.Event()
    results = ordered_map(lambda number: done.set() if number == 3 else None, range(10), workers=1, ahead=3)
    next(results)
    assert done.wait(5)
    results.close()


def test_error_arrives_in_its_turn():
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    results = ordered_map(fail_at_three, range(10), workers=4, ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_stopping_early_ends_the_threads():
    before = threading.active_count()
    results = ordered_map(lambda number: number, range(1000), workers=3, ahead=4)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before
