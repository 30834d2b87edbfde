import math

import pytest

from fanogan_tf.archive.volumes import _OneRow

FACTS = {"volume": '"a.vol"', "label": -1, "eye": "OD", "bscans": 3, "left_out": 1}


def patch(score, anomalous):
    return {"image": '"a.vol#0@0,0"', "score": score, "anomalous": anomalous}


def joined(*parts):
    """Combines parts that different workers added up."""
    combine = _OneRow()
    accumulators = []
    for part in parts:
        accumulator = combine.create_accumulator()
        for element in part:
            accumulator = combine.add_input(accumulator, element)
        accumulators.append(accumulator)
    return combine.extract_output(combine.merge_accumulators(accumulators))


@pytest.mark.parametrize("split", [0, 1, 2, 3, 4])
def test_whichever_worker_scored_its_patches(split):
    elements = [patch(1.0, False), FACTS, patch(4.0, True), patch(2.5, True)]
    row = joined(elements[:split], elements[split:])
    figures = {"patches": 3, "score_mean": 2.5, "score_max": 4.0, "share_anomalous": 2 / 3}
    assert row == FACTS | figures


def test_a_volume_without_patches():
    row = joined([FACTS], [])
    assert row["patches"] == 0 and math.isnan(row["score_mean"]) and row["bscans"] == 3
