"""The structured report of one image (DICOM PS3.16, TID 1500): score, probability, decision, and whose they are."""

from typing import Any

from fanogan_tf.reading.finding import MANUFACTURER, SCHEME, Algorithm, Finding, place

KIND = "report"


def report(source: Any, finding: Finding, algorithm: Algorithm) -> Any:
    """An Enhanced SR on `source`, a pydicom Dataset as `finding.whole` returns it."""
    import highdicom as hd
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import Code, codes
    from pydicom.uid import generate_uid

    def own(value: str, meaning: str) -> CodedConcept:
        return CodedConcept(value, SCHEME, meaning)

    def measured(value: str, meaning: str, number: float) -> hd.sr.Measurement:
        return hd.sr.Measurement(own(value, meaning), float(number), codes.UCUM.NoUnits)

    whose = hd.sr.AlgorithmIdentification(algorithm.name, algorithm.version, parameters=[f"weights sha256={algorithm.weights}"])
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        hd.sr.TrackingIdentifier(
            uid=generate_uid(entropy_srcs=[str(source.SOPInstanceUID), algorithm.weights, "tracking"]), identifier="anomaly score"
        ),
        algorithm_id=whose,
        measurements=[
            measured("score", "Anomaly score", finding.score),
            measured("probability", "Share of normal images that score lower", finding.probability),
            measured("false_positive_rate", "False positive rate of the threshold", algorithm.false_positive_rate),
            *(measured(*further) for further in finding.further),
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(own("decision", "Decision"), own(finding.verdict, finding.verdict.capitalize()))
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
    )
    observer = hd.sr.ObserverContext(
        codes.DCM.Device,
        hd.sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[algorithm.weights]), name=MANUFACTURER, model_name=algorithm.name
        ),
    )
    content = hd.sr.MeasurementReport(
        hd.sr.ObservationContext(observer_device_context=observer),
        Code("363679005", "SCT", "Imaging procedure"),
        [group],
        # The titles that TID 1500 lists are extensible. Viewers take the one of imaging measurements for a list of places on the
        # image, and show nothing of a report that has none: OHIF does.
        title=own("report", "Anomaly report"),
    )
    # A machine's word is neither complete in the sense of the standard nor verified: a reader does that.
    return hd.sr.EnhancedSR([source], content[0], **place(source, algorithm, KIND, 1), is_complete=True)
