"""One file per method: its training recipe and its Detector."""

from fanogan_tf.methods import adv_ae, ae, ali, anogan, critic, fanogan, ganomaly, iterative, ocsvm, pca

METHODS = {
    "fanogan": fanogan,
    "iterative": iterative,
    "critic": critic,
    "anogan": anogan,
    "ae": ae,
    "adv_ae": adv_ae,
    "ali": ali,
    "ganomaly": ganomaly,
    "pca": pca,
    "ocsvm": ocsvm,
}

# Of all methods, each once.
PHASES = tuple(dict.fromkeys(phase for method in METHODS.values() for phase in method.PHASES))
