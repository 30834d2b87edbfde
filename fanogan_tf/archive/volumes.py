"""The rows of volumes, combined from their patches, which any worker may have scored."""

import json
import re

import apache_beam as beam

from fanogan_tf.oct.volume_scores import Tally

# VOLUME#BSCAN@TOP,LEFT: all that a row carries of its volume through the workers. The name of a volume may hold # and @ itself.
_PATCH = re.compile(r"(.*)#\d+@\d+,\d+", re.DOTALL)


class VolumeRows(beam.PTransform):
    """Transform of (rows of `score_table`, `volume_scores.facts` of the volumes) into rows of `volume_scores`."""

    def expand(self, rows_and_facts: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        rows, known = rows_and_facts
        patches = rows | "Volumes of patches" >> beam.Map(lambda row: (json.dumps(_volume(json.loads(row["image"]))), row))
        named = known | "Names of volumes" >> beam.Map(lambda row: (row["volume"], row))
        return (patches, named) | beam.Flatten() | beam.CombinePerKey(_OneRow()) | "Rows of volumes" >> beam.Values()


def _volume(patch: str) -> str:
    match = _PATCH.fullmatch(patch)
    if match is None:
        raise ValueError(f"{patch}: no patch of a volume")
    return match[1]


class _OneRow(beam.CombineFn):
    """Combiner whose accumulator is (tally of the patches, the volume's facts or {})."""

    def create_accumulator(self) -> tuple[Tally, dict]:
        return Tally(), {}

    def add_input(self, mutable_accumulator: tuple[Tally, dict], element: dict) -> tuple[Tally, dict]:
        tally, known = mutable_accumulator
        if "volume" in element:
            return tally, element
        tally.add(element)
        return tally, known

    def merge_accumulators(self, accumulators) -> tuple[Tally, dict]:
        tally, known = self.create_accumulator()
        for other, others in accumulators:
            tally.join(other)
            known = known or others
        return tally, known

    def extract_output(self, accumulator: tuple[Tally, dict]) -> dict:
        tally, known = accumulator
        return known | tally.figures()
