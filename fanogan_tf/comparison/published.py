"""The papers' own figures, from other data, other networks and other budgets: to stand beside ours for orientation only."""

# Schlegl et al. 2019, Table 1 and section 3.2, on private retinal OCT: AUC by variant.
IMAGE_AUC = {
    "ae": 0.8688,
    "adv_ae": 0.8649,
    "ali": 0.7897,
    "critic": 0.7504,
    "iterative": 0.9114,
    "fanogan": 0.9301,
    "ziz": 0.9066,
    "izi": 0.8874,
    "ziz_linear": 0.8848,
    "izi_linear": 0.8752,
    "fanogan_linear": 0.9269,
}
# The same with the feature residual at scoring.
IMAGE_AUC_WITH_FEATURES = {"izi": 0.8976, "ziz": 0.9209}

# Table B1, pixels.
PIXEL_AUC = {"ae": 0.6459, "adv_ae": 0.7195, "ali": 0.6610, "fanogan": 0.7831}

# One digit of MNIST normal, mean AUROC over the ten.
MNIST_MEAN = {"f-AnoGAN": 0.901, "Deep SVDD": 0.948, "OCGAN": 0.975, "ARNet": 0.983}
