"""The fixed texts and the style sheet of a report's page."""

THRESHOLDS = {
    "operating_point": "calibrated on held-out normal images",
    "youden": "best on these test images (Youden)",
}

COLUMNS = (
    "Sensitivity: the share of anomalous images that are found.",
    "Specificity: the share of normal images that are left alone.",
    "Precision: the share of images called anomalous that are so. F score: the harmonic mean of precision and sensitivity.",
    "The calibrated threshold is the one the detector uses; it was set without any anomalous image. "
    "The Youden threshold, where sensitivity + specificity is largest, was chosen with these images' labels. It serves to "
    "compare with papers and flatters a little.",
)

# Texts around the tables of regions and volumes.
REGIONS = (
    "A region is a connected piece of a mask; each counts the same, large or small.",
    "AUPRO: the share of a region above a threshold, averaged over regions and over the thresholds that up to 30 % of the normal "
    "pixels exceed. 0.15 is chance, 1 is perfect.",
    "Found: at least half of the region lies above the threshold. Mean overlap: the mean share of a region above it. This "
    "threshold was chosen on these images' normal pixels; it serves to compare, as the Youden threshold does.",
)
MAPS = {
    "residual": "|x - G(E(x))|",
    "block_map": "the critic's maps of x and of G(E(x))",
    "normality_map": "the critic's map of x against that of normal images",
}
VOLUMES = (
    "AUROC: how often an anomalous one has the higher score than a normal one. A B-scan is anomalous if any of its pixels is "
    "marked as fluid; B-scans, pixels and regions are those of volumes in which fluid was looked for."
)
PIXELS_OF_VOLUMES = (
    "Each pixel of the B-scans' residual maps, made of overlapping patches, against the marked fluid. Pixels of lesions that are "
    "no fluid are left out. Regions are those of single B-scans."
)

# File name without .png -> heading, how to read it; in the order of the page.
CAPTIONS = {
    "roc": (
        "ROC curve",
        "Each point is one threshold. Up means more anomalous images found, right means more normal images called anomalous by "
        "mistake. A good curve hugs the upper left corner; the dashed line is chance. The circle is the Youden point, the "
        "diamond the calibrated threshold.",
    ),
    "precision_recall": (
        "Precision-recall curve",
        "Each point is one threshold. Right means more anomalous images found, up means fewer false ones among the images called "
        "anomalous. The dashed line is the share of anomalous images, which guessing would give.",
    ),
    "histogram": (
        "Scores",
        "How the scores of each group are spread; the bars of each group add up to 100 %, so that groups of different size "
        "compare. Images right of the dashed threshold are called anomalous. The less the two groups overlap, the better.",
    ),
    "boxplot": (
        "Scores per class",
        "The line in a box is the median, the box holds the middle half of the class, the whiskers reach at most 1.5 box lengths "
        "further, and dots are single images beyond. The number behind a class counts its images. Classes whose box "
        "lies left of the dashed threshold are mostly taken for normal.",
    ),
    "reconstructions": (
        "Reconstructions",
        "For each kind of call, images drawn at random (not chosen by hand), with their score above. The model can only draw "
        "what it has learned from normal images, so what it cannot redraw stays in the residual, brighter where the "
        "difference is larger. All residuals share one scale.",
    ),
    "screening": (
        "Workload against sensitivity",
        "Each point is one filter. Right means more diseased images reach the reader, up means fewer normal images to read. "
        "The diamond is the filter that was set, with the 95 % intervals of both.",
    ),
    "missed": (
        "Missed by the filter",
        "Diseased images that the filter calls certainly normal, the lowest score first, at most 24.",
    ),
    "latent_walk": (
        "A walk through latent space",
        "Images the generator draws from latent codes between known ones. Neighbours should change little by little and every "
        "image should look like a normal one; jumps or copies of one image would speak of a poorly trained generator.",
    ),
    "pixel_roc": (
        "ROC curve of pixels",
        "As the ROC curve above, but each pixel counts for itself: its residual against the mask.",
    ),
}

SQUARE = ("roc", "precision_recall", "pixel_roc", "screening")  # shown smaller than the page is wide

CSS = """
:root { --ink: #1f2933; --faint: #5f6b76; --paper: #ffffff; --line: #d9dee3; --panel: #f4f6f8; --mark: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e8ed; --faint: #a3adb8; --paper: #14181d; --line: #333b44; --panel: #1d232a; --mark: #6db9e8; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0 0; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.75rem; }
.note { color: var(--faint); margin: 0.25rem 0 1rem; overflow-wrap: anywhere; }
.missing { background: var(--panel); border-left: 4px solid var(--mark); padding: 0.6rem 0.9rem; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; margin: 1rem 0; }
.headline div { background: var(--panel); border-radius: 8px; padding: 1rem 1.2rem; }
dt { color: var(--faint); }
dd { margin: 0; }
dd b { display: block; font-size: 2.2rem; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
.verdict { font-size: 1.15rem; margin: 1rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.95rem; }
th, td { text-align: left; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 500; }
td { overflow-wrap: anywhere; min-width: 7rem; }
.number { text-align: right; min-width: 0; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
ul { color: var(--faint); padding-left: 1.2rem; font-size: 0.95rem; }
figure { margin: 0 0 2.5rem; }
figure.square { max-width: 38rem; }
figure a { display: block; background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: 0.5rem; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--faint); font-size: 0.95rem; margin-top: 0.6rem; max-width: 44rem; }
figcaption b { color: var(--ink); }
"""
