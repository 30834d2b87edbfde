import numpy as np
import pytest

from fanogan_tf.data.image_set import hold_out


def test_parts_everything_once():
    kept, held = hold_out(100, 0.1, 0)
    assert len(held) == 10
    assert sorted([*kept, *held]) == list(range(100))
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()


def test_same_seed_same_parts():
    assert hold_out(100, 0.1, 5)[1].tolist() == hold_out(100, 0.1, 5)[1].tolist()
    assert hold_out(100, 0.1, 5)[1].tolist() != hold_out(100, 0.1, 6)[1].tolist()


def test_neither_part_is_empty():
    assert [len(part) for part in hold_out(2, 0.01, 0)] == [1, 1]
    assert [len(part) for part in hold_out(2, 0.99, 0)] == [1, 1]
    with pytest.raises(ValueError, match="parted"):
        hold_out(1, 0.5, 0)
