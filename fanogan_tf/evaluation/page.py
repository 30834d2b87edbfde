"""index.html of a report: opens from disk, without scripts, links to elsewhere or a network."""

from html import escape

import numpy as np

from fanogan_tf.data.leaks import Leaks
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import html, metrics, page_evidence
from fanogan_tf.evaluation.page_texts import CAPTIONS, COLUMNS, CSS, MAPS, PIXELS_OF_VOLUMES, REGIONS, SQUARE, THRESHOLDS, VOLUMES

HIGHEST = 10
_LABELS = {metrics.NORMAL: "normal", metrics.ANOMALOUS: "anomalous", metrics.UNKNOWN: "unknown"}


def render(table: ScoreTable, values: dict, shown: set[str], facts: dict[str, str], note: str, leaks: Leaks | None = None) -> str:
    """The page as text.

    Args:
      table: the scores.
      values: what metrics.json holds.
      shown: names of the figures that exist, without .png.
      facts: settings to show.
      note: what the data are.
      leaks: images on two sides of the split; None where nobody has looked.
    """
    title = f"Anomaly detection report: {note}" if note else "Anomaly detection report"
    parts = [
        f"<h1>Anomaly detection report</h1>\n<p class='note'>{escape(note)}</p>" if note else "<h1>Anomaly detection report</h1>",
        page_evidence.verdict(values, int(table.anomalous.sum())),
        _headline(values),
        _figure("reconstructions") if "reconstructions" in shown else "",
        page_evidence.doctor(values),
        page_evidence.leaks(leaks),
        page_evidence.figures(values),
        page_evidence.no_model(values),
        _thresholds(values),
        page_evidence.screening(values),
        _pixel(values),
        _volumes(values),
        _figures(shown - {"reconstructions"}),
        _classes(values),
        page_evidence.groups(values),
        page_evidence.subgroups(values),
        _terms(values),
        _highest(table),
        _facts(facts),
    ]
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def missing(values: dict) -> str:
    """Why there are no curves, in a sentence; "" where there are."""
    if values["auroc"] is not None:
        return ""
    normal, anomalous = values["normal_images"], values["anomalous_images"]
    if not normal and not anomalous:
        return "No test image is labelled, so the curves and every figure that needs labels are left out."
    absent = "anomalous" if normal else "normal"
    return f"No test image is labelled {absent}, so the curves and every figure that compares the two kinds are left out."


def _headline(values: dict) -> str:
    images = (
        f"{values['images']:,} test images, {values['normal_images']:,} labelled normal and "
        f"{values['anomalous_images']:,} labelled anomalous."
    )
    if values["images_per_second"] is not None and values["seconds"] is not None:
        images += f" Scored in {values['seconds']:.1f} seconds, {values['images_per_second']:.1f} images per second."
    if missing(values):
        return f"<p>{images}</p>\n<p class='missing'>{missing(values)}</p>"
    auroc, precision = values["auroc"], values["average_precision"]
    base_rate = values["anomalous_images"] / (values["normal_images"] + values["anomalous_images"])
    return (
        f"<p>{images}</p>\n<dl class='headline'>\n"
        f"<div><dt>AUROC</dt><dd><b>{auroc:.3f}</b>In {html.percent(auroc)} of all pairs of a normal and an anomalous image, "
        f"the anomalous one has the higher score{_between(values)}. 0.5 is chance, 1 is perfect.</dd></div>\n"
        f"<div><dt>Average precision</dt><dd><b>{precision:.3f}</b>How many calls of “anomalous” are right, averaged over all "
        f"thresholds. Chance is the share of anomalous images, {base_rate:.3f}; 1 is perfect.</dd></div>\n</dl>"
    )


def _between(values: dict) -> str:
    """The interval behind the AUROC, or nothing where there is none."""
    found = (values.get("reliability") or {}).get("auroc")
    return f"; 95 % interval {html.interval(found)}" if found and found["low"] is not None else ""


def _thresholds(values: dict) -> str:
    rows = []
    for key, name in THRESHOLDS.items():
        point = values[key]
        if point is not None:
            numbers = [html.number(point[k]) for k in ("sensitivity", "specificity", "precision", "f_score")]
            rows.append([name, html.score(point["threshold"]), *numbers])
    header = ["Threshold", "Score above", "Sensitivity", "Specificity", "Precision", "F score"]
    lines = "".join(f"<li>{text}</li>" for text in COLUMNS)
    return f"<h2>At a threshold</h2>\n{html.table(header, rows)}\n<ul>{lines}</ul>"


def _pixel(values: dict) -> str:
    if "pixel" not in values:
        return ""
    pixel = values["pixel"]
    if pixel is None:
        return "<h2>Pixels</h2>\n<p class='missing'>The masks mark no pixel, or all of them, so there are no pixel figures.</p>"
    text = "Each pixel's residual against the mask; sensitivity and specificity at the pixels' own Youden threshold."
    return (
        f"<h2>Pixels</h2>\n<p>{text}</p>\n{_pixel_table(pixel)}\n{_pointing(pixel)}{_regions(pixel.get('regions'))}{_maps(pixel)}"
    )


def _maps(pixel: dict) -> str:
    """The critic's maps beside the residual; nothing where the method has none."""
    if not pixel.get("maps"):
        return ""
    rows = []
    for name, found in pixel["maps"].items():
        numbers = [html.number(found[key]) for key in ("auroc", "average_precision", "aupro")]
        rows.append([MAPS[name], *numbers, *(html.percent(found[key]) for key in ("hit_rate", "pointing"))])
    header = ["Map", "AUROC", "Average precision", "AUPRO", "Regions found", "Highest on the mask"]
    return f"\n<p>What the critic shows, by the same counts:</p>\n{html.table(header, rows)}"


def _pointing(pixel: dict) -> str:
    found = pixel.get("pointing")
    if not found or not found["images"]:
        return ""
    share = html.percent(found["hits"] / found["images"])
    return (
        f"<p>The highest residual of an image lies on its mask in {found['hits']:,} of {found['images']:,} images, {share}.</p>\n"
    )


def _pixel_table(pixel: dict) -> str:
    youden = pixel["youden"]
    header = ["AUROC", "Average precision", "Sensitivity", "Specificity", "Residual above", "Pixels", "Anomalous pixels"]
    row = [html.number(pixel["auroc"]), html.number(pixel["average_precision"]), html.number(youden["sensitivity"])]
    row += [
        html.number(youden["specificity"]),
        html.score(youden["threshold"]),
        f"{pixel['pixels']:,}",
        f"{pixel['anomalous_pixels']:,}",
    ]
    return html.table(header, [row], text_columns=0)


def _regions(regions: dict | None, explained: bool = False) -> str:
    """`explained`: how to read the figures is said already."""
    if not regions:
        return ""
    rows = []
    for kind, found in {"all": regions, **regions["per_kind"]}.items():
        shares = [html.percent(found[k]) for k in ("hit_rate", "mean_overlap")]
        rows.append([kind.replace("_", " "), f"{found['regions']:,}", f"{found['hits']:,}", *shares])
    text = (
        f"Region by region: AUPRO <b>{html.number(regions['aupro'])}</b>. Regions are looked for at residuals above "
        f"{html.score(regions['threshold'])}, as {html.percent(regions['false_positive_rate'])} of the normal pixels have."
    )
    found_table = html.table(["Regions", "Number", "Found", "Share found", "Mean overlap"], rows)
    lines = "" if explained else f"\n<ul>{''.join(f'<li>{line}</li>' for line in REGIONS)}</ul>"
    return f"<p>{text}</p>\n{found_table}{lines}"


def _volumes(values: dict) -> str:
    if "volumes" not in values:
        return ""
    volumes = values["volumes"]
    scans, pixel = volumes["scans"], volumes["pixel"]
    anomalous = f"{volumes['anomalous_volumes']:,} of {volumes['normal_volumes'] + volumes['anomalous_volumes']:,}"
    anomalous_scans = f"{scans['anomalous_scans']:,} of {scans['scans']:,}"
    rows = [
        ["volume, by the mean score of its patches", anomalous, html.number(volumes["auroc_mean"])],
        ["volume, by the highest score of its patches", anomalous, html.number(volumes["auroc_max"])],
        ["B-scan, by the mean of its highest 1 % of residuals", anomalous_scans, html.number(scans["auroc"])],
    ]
    count = (
        f"{volumes['volumes']:,} volumes, {volumes['normal_volumes']:,} labelled normal and "
        f"{volumes['anomalous_volumes']:,} labelled anomalous. {VOLUMES}"
    )
    parts = [f"<h2>Volumes</h2>\n<p>{count}</p>", html.table(["Unit", "Anomalous", "AUROC"], rows)]
    if pixel is None:
        parts.append("<p class='missing'>No pixel is marked as fluid, so there are no pixel figures of volumes.</p>")
    else:
        parts += [
            f"<p>{PIXELS_OF_VOLUMES}</p>",
            _pixel_table(pixel),
            _regions(volumes["regions"], bool((values.get("pixel") or {}).get("regions"))),
        ]
    return "\n".join(parts)


def _figures(shown: set[str]) -> str:
    figures = [_figure(name) for name in CAPTIONS if name in shown]
    link = "<p>All numbers of this page, for scripts: <a href='metrics.json'>metrics.json</a></p>"
    return "<h2>Figures</h2>\n" + "\n".join([*figures, link])


def _figure(name: str) -> str:
    heading, caption = CAPTIONS[name]
    image = f"<a href='{name}.png'><img src='{name}.png' alt='{escape(heading, quote=True)}'></a>"
    kind = " class='square'" if name in SQUARE else ""
    return f"<figure{kind}>\n{image}\n<figcaption><b>{heading}.</b> {caption}</figcaption>\n</figure>"


def _classes(values: dict) -> str:
    rows = []
    for name, of_class in values["per_class"].items():
        scores = [html.score(of_class["mean_score"]), html.score(of_class["median_score"])]
        share = html.percent(of_class["share_anomalous"])
        area = [html.number(of_class["auroc"]), html.interval(of_class.get("interval")) if of_class["auroc"] is not None else ""]
        rows.append([name, f"{of_class['images']:,}", *scores, share, *area])
    header = ["Class", "Images", "Mean score", "Median score", "Called anomalous", "AUROC against normal", "95 % interval"]
    return f"<h2>Classes</h2>\n{html.table(header, rows)}"


def _terms(values: dict) -> str:
    header = ["Term", "Mean, normal", "Mean, anomalous", "AUROC alone"]
    rows = [
        [name.replace("_", " "), html.score(term["mean_normal"]), html.score(term["mean_anomalous"]), html.number(term["auroc"])]
        for name, term in values["per_term"].items()
    ]
    text = "What each residual would tell by itself; a method's score joins some of them."
    return f"<h2>Terms</h2>\n<p>{text}</p>\n{html.table(header, rows)}" if rows else ""


def _highest(table: ScoreTable) -> str:
    order = np.argsort(-table.score, kind="stable")[:HIGHEST]
    rows = [
        [
            str(table.image[i]),
            str(table.class_name[i]) or metrics.UNKNOWN_CLASS,
            _LABELS[int(table.label[i])],
            html.score(table.score[i]),
        ]
        for i in order
    ]
    return f"<h2>The {len(rows)} highest scores</h2>\n{html.table(['Image', 'Class', 'Label', 'Score'], rows, text_columns=3)}"


def _facts(facts: dict[str, str]) -> str:
    if not facts:
        return ""
    return f"<h2>Settings</h2>\n{html.table(['Setting', 'Value'], [[str(k), str(v)] for k, v in facts.items()], text_columns=2)}"
