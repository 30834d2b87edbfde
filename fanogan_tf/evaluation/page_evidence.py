"""The part of a report's page that says how far its figures can be trusted."""

from html import escape

from fanogan_tf.data.leaks import Leaks
from fanogan_tf.evaluation import html
from fanogan_tf.evaluation.diagnosis import State

_NAMES = {
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "f1_max": "Largest F score of any threshold",
    "sensitivity_at_95": "Sensitivity where specificity is 0.95",
    "specificity_at_95": "Specificity where sensitivity is 0.95",
}
_LISTED = 10


def verdict(values: dict, called: int) -> str:
    """What the run comes to, in two or three sentences. called: how many images are called anomalous."""
    sentences = [f"{called:,} of {values['images']:,} images are called anomalous."]
    if values["auroc"] is not None:
        point, normal, anomalous = values["operating_point"], values["normal_images"], values["anomalous_images"]
        hits, alarms = round(point["sensitivity"] * anomalous), round((1 - point["specificity"]) * normal)
        sentences = [
            f"Of {anomalous:,} anomalous images {hits:,} are found ({html.percent(hits / anomalous)}), and of {normal:,} normal "
            f"ones {alarms:,} are taken for anomalous ({html.percent(alarms / normal)})."
        ]
        sentences += _against_no_model(values.get("no_model") or {})
    problems = [one["name"] for one in values.get("doctor") or () if one["state"] == State.PROBLEM]
    if problems:
        sentences.append(f"The doctor has something to say: {', '.join(problems)}.")
    return f"<p class='verdict'>{escape(' '.join(sentences))}</p>"


def _against_no_model(found: dict) -> list[str]:
    """A sentence on the best score that needs no model; none where there is none."""
    if not found:
        return []
    name, best = max(found.items(), key=lambda one: one[1]["auroc"])
    difference = best["difference"]
    if difference["low"] is not None and difference["low"] > 0:
        return [f"It tells them apart better than what needs no model ({name}, AUROC {best['auroc']:.3f})."]
    worse = difference["high"] is not None and difference["high"] < 0
    how = "worse" if worse else "no better, within the interval,"
    return [f"It tells them apart {how} than {name}, which needs no model (AUROC {best['auroc']:.3f})."]


def leaks(found: Leaks | None) -> str:
    """A warning of test or held-out images that are training images too; nothing where there are none."""
    if not found:
        return ""
    listed = [
        [leak.name, leak.of_name, html.number(leak.correlation, 4) if leak.correlation else "equal"] for leak in found.listed
    ]
    table = html.table(["Image", "is also", "Correlation"], listed[:_LISTED], text_columns=2)
    more = f"\n<p>The first {_LISTED} are shown; leaks.json in the run has the others.</p>" if len(listed) > _LISTED else ""
    sentences = "; ".join(found.sentences())
    return f"<h2>Leaks</h2>\n<p class='missing'>{escape(sentences[0].upper() + sentences[1:])}.</p>\n{table}{more}"


def doctor(values: dict) -> str:
    """What the doctor says of the run: its problems, with the evidence and what to change; all else folded."""
    found = values.get("doctor")
    if not found:
        return ""
    bad = [[one["name"], one["evidence"], one["remedy"]] for one in found if one["state"] == State.PROBLEM]
    rest = [[one["name"], one["state"], one["evidence"]] for one in found if one["state"] != State.PROBLEM]
    table = html.table(["Check", "Evidence", "What to change"], bad, text_columns=3) if bad else ""
    said = f"{len(bad)} of {len(found)} checks found a problem." if bad else f"None of {len(found)} checks found a problem."
    kind = " class='missing'" if bad else ""
    more = (
        f"<details><summary>The other {len(rest)} checks</summary>{html.table(['Check', 'State', 'Evidence'], rest, 3)}</details>"
    )
    return f"<h2>The doctor</h2>\n<p{kind}>{said}</p>\n{table}\n{more}"


def figures(values: dict) -> str:
    """The figures with their 95 % intervals."""
    found = values.get("reliability")
    if not found:
        return ""
    rows = [[name, html.number(found[key]["value"]), html.interval(found[key])] for key, name in _NAMES.items()]
    text = (
        f"Intervals: {found['method']}. What a threshold was chosen by these images' labels for, the last three, serves to "
        "compare with papers and flatters a little."
    )
    return f"<h2>How sure the figures are</h2>\n{html.table(['Figure', 'Value', '95 % interval'], rows)}\n<p>{text}</p>"


def no_model(values: dict) -> str:
    """The AUROCs of scores that need no model, and how far the method is above them."""
    found = values.get("no_model")
    if not found:
        return ""
    rows = []
    for name, row in found.items():
        difference = row["difference"]
        above = f"{difference['value']:+.3f}"
        rows.append([name, html.number(row["auroc"]), html.interval(row), above, html.interval(difference), _p(difference["p"])])
    header = ["Score without a model", "AUROC", "95 % interval", "The method above it by", "95 % interval", "p"]
    text = (
        "All are fitted to training images alone and fixed beforehand. p: how often two equally good scores would differ as much "
        "on images like these. A method that is not above these rows was not worth its training."
    )
    return f"<h2>Without a model</h2>\n<p>{text}</p>\n{html.table(header, rows)}"


def groups(values: dict) -> str:
    """Groups of images, such as patients, as units."""
    found = values.get("per_group")
    if not found:
        return ""
    count = (
        f"{found['groups']:,} groups of images that belong together, {found['normal_groups']:,} normal and "
        f"{found['anomalous_groups']:,} with at least one anomalous image."
    )
    rows = [
        [f"the {name} score of a group's images", html.number(row["auroc"]), html.interval(row)]
        for name in ("mean", "highest")
        if (row := found[name])
    ]
    table = f"\n{html.table(['Groups by', 'AUROC', '95 % interval'], rows)}" if rows else ""
    return f"<h2>Groups</h2>\n<p>{count}</p>{table}"


def subgroups(values: dict) -> str:
    """The AUROC within each subgroup."""
    found = values.get("subgroups")
    if not found:
        return ""
    rows = []
    for row in found:
        share = "n/a" if row["share_anomalous"] is None else html.percent(row["share_anomalous"])
        counts = [f"{row['normal']:,}", f"{row['anomalous']:,}"]
        rows.append([row["column"], row["value"], *counts, html.number(row["auroc"]), html.interval(row), share])
    header = ["Column", "Value", "Normal", "Anomalous", "AUROC", "95 % interval", "Normal images called anomalous"]
    return f"<h2>Subgroups</h2>\n{html.table(header, rows, text_columns=2)}"


def screening(values: dict) -> str:
    """What a filter of certainly normal images would take off the reader, and what it would miss."""
    found = values.get("screening")
    if not found:
        return ""
    common = html.percent(found["prevalence"])
    rows = []
    for key, name in {
        "taken_off": "Test images taken off the reader",
        "sensitivity": "Sensitivity: diseased images that go to the reader",
        "specificity": "Specificity: normal images taken off the reader",
        "taken_off_at_prevalence": f"Images taken off the reader where {common} are diseased",
        "negative_predictive_value": f"Of those, truly normal (negative predictive value) where {common} are diseased",
    }.items():
        of = found[key]
        rows.append(
            [name, html.number(of["value"]), html.interval(of), f"{of['part']:,} of {of['whole']:,}" if "part" in of else ""]
        )
    count = len(found["missed"])
    missed = (
        f"<p>It misses {count:,} diseased images, the lowest score first: {escape(', '.join(found['missed'][:_LISTED]))}"
        f"{', ...' if count > _LISTED else ''}.</p>"
        if count
        else "<p>It misses no diseased image.</p>"
    )
    text = (
        "A filter reports certainly normal images at once; all others go to the reader with their probability. It was set before "
        "any test image was seen. The last two intervals are made of the ends of the two before them. For research, not for "
        "diagnosis."
    )
    return f"<h2>Screening</h2>\n<p>{text}</p>\n{html.table(['Figure', 'Value', '95 % interval', 'Images'], rows)}\n{missed}"


def _p(value: float | None) -> str:
    if value is None:
        return "n/a"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
