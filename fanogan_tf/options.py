"""Every setting of an experiment, once: its name, default, unit and choices.

Absl flags and a run's `flags.txt` are made from these fields (`option_flags`).
"""

import dataclasses

# What an option decides, in the order in which --help shows it.
SCOPES = {
    "images": "Which images, and how they are prepared",
    "networks": "The networks",
    "training": "Training",
    "encoder": "Training of the encoder",
    "detector": "Scores and threshold; part of the trained detector",
    "scoring": "Scoring",
    "running": "Speed, storage and display; no effect on what comes out",
}


def _option(scope, default, help, *, choices=None, least=None, most=None, free=False, path=False, first=False, bare=False):
    """Declares one setting.

    Args:
      scope: one of SCOPES.
      default, help, choices, least, most: of the flag.
      free: may change between two calls on the same run directory; any other makes it another run.
      path: is a path, which is made absolute.
      first: one of the ten that a newcomer needs.
      bare: of choices true and false: `--name` and `--noname` will do.
    """
    about = {"scope": scope, "help": help, "choices": choices, "least": least, "most": most}
    return dataclasses.field(default=default, metadata=about | {"free": free, "path": path, "first": first, "bare": bare})


@dataclasses.dataclass(frozen=True)
class Options:
    """The settings of one run. Units and meanings are the fields' help texts: `fanogan train --help`."""

    method: str = _option(
        "detector",
        "fanogan",
        "How anomalies are detected.",
        choices=["fanogan", "iterative", "critic", "anogan", "ae", "adv_ae", "ali", "ganomaly", "roi_ganomaly", "pca", "ocsvm"],
        first=True,
    )

    dataset: str = _option(
        "images",
        "digits",
        "Where the images come from.",
        choices=["digits", "mnist", "fashion_mnist", "folder", "chest_xray", "oct", "oct_phantom"],
        first=True,
    )
    data_path: str = _option(
        "images",
        "",
        "mnist, fashion_mnist: a .npz file instead of the Keras download. folder, chest_xray, oct: the root folder.",
        path=True,
        first=True,
    )
    normal_class: str = _option(
        "images", "1", "The class that counts as normal; all others are anomalous. Not used by folder.", first=True
    )
    anomalous_class: str = _option(
        "images", "", "The opposite: this class is anomalous and all others are normal; --normal_class does not count then."
    )
    split_seed: int = _option("images", 0, "Seed of the split into train, validation and test, apart from --seed.", least=0)
    validation_fraction: float = _option(
        "images", 0.1, "Share of the normal training images held out for calibration.", least=0.01, most=0.5
    )
    group_by: str = _option(
        "images",
        "",
        "folder: what belongs together, such as a patient's images, and stays on one side of every split: folder:1 (the first "
        "folder below train_normal, ...), name:PATTERN (what its parentheses match in the file's name) or csv:FILE:COLUMN.",
    )
    test_images: int = _option("images", 0, "At most this many test images, drawn by --split_seed; 0: all.", least=0)
    half_normal: bool = _option(
        "images", False, "Make half of --test_images normal, as far as there are so many, instead of drawing them from all."
    )
    validation_images: int = _option(
        "images", 0, "At most this many held-out images calibrate, drawn by --split_seed; 0: all.", least=0
    )
    image_size: str = _option(
        "images", "", "Side in pixels (64) or height x width (64x80); empty keeps the source's own size.", first=True
    )
    patches: int = _option(
        "images",
        0,
        "folder: cut this many random patches of --image_size per image instead of resizing. oct: per B-scan; 0: the whole "
        "flattened B-scan, resized.",
        least=0,
    )
    random_flip: bool = _option("images", False, "Flip training images left-right at random. Never for digits.")
    standardise: str = _option(
        "images",
        "none",
        "Gray levels of each image by itself: three standard deviations around its mean, its 1st to 99th percentile, or "
        "histograms equalized within tiles. Also inside the exported model.",
        choices=["none", "image", "percentile", "clahe"],
    )
    sharpness: float = _option(
        "images", 0.0, "Blur each image until its mean square Laplacian is at most this times its variance; 0: none.", least=0.0
    )
    skip_unreadable: bool = _option("running", False, "Report and skip unreadable images instead of stopping.", free=True)

    region: str = _option(
        "images",
        "none",
        "folder, chest_xray: every film cropped to the box of its organ, or black outside of it, before it is resized. The "
        "organ is where masks tell, or --region_from.",
        choices=["none", "crop", "cut_out"],
    )
    region_from: str = _option(
        "images",
        "",
        "folder, chest_xray: find the organ by this run of fanogan lungs train, also in the exported model; empty: masks tell.",
        path=True,
    )

    oct_columns: int = _option("images", 256, "oct: columns that B-scans are reduced to.", least=8)
    oct_height: int = _option("images", 128, "oct: rows of the flattened retina; only thicker ones are shrunk to it.", least=8)
    oct_surfaces: str = _option(
        "images",
        "graph_cut",
        "oct: top and bottom of the retina by a search in 3-D, by a faster one per B-scan, or from the volume's file.",
        choices=["graph_cut", "shortest_path", "file"],
    )
    oct_images: str = _option(
        "images",
        "volume",
        "oct: what a folder of images is, a volume whose B-scans they are, or B-scans of as many eyes, as public sets have them.",
        choices=["volume", "single"],
    )
    oct_spacing: str = _option(
        "images",
        "",
        "oct: micrometres from row to row x from column to column of images, which do not tell, as in 3.87x11.33; empty: those.",
    )
    oct_cache: str = _option(
        "running", "", "oct: where prepared volumes are kept, for several runs to share; empty: in the run.", free=True, path=True
    )
    oct_stride: int = _option(
        "scoring", 32, "oct: pixels between the overlapping patches of maps; smaller is smoother and slower.", least=1, free=True
    )
    phantom_bscans: int = _option("images", 49, "oct_phantom: B-scans per volume, over the same 6 mm.", least=2)
    phantom_train_volumes: int = _option("images", 20, "oct_phantom: healthy volumes to train on.", least=1)
    phantom_validation_volumes: int = _option("images", 4, "oct_phantom: healthy volumes held out for calibration.", least=1)
    phantom_test_volumes: int = _option("images", 8, "oct_phantom: test volumes, as many healthy as diseased.", least=1)
    phantom_test: str = _option(
        "images", "final", "oct_phantom: the frozen test set, or another one for development.", choices=["final", "development"]
    )

    network: str = _option(
        "networks",
        "auto",
        "Networks and training of the GAN: ResNets by WGAN-GP, or a DCGAN by the standard GAN losses; auto: dcgan for anogan, "
        "else resnet.",
        choices=["auto", "resnet", "dcgan"],
    )
    dim: int = _option("networks", 64, "Base width of the networks: filters of the critic's first convolution.", least=1)
    latent_dim: int = _option("networks", 128, "Size of the latent vector z. pca, ocsvm: at most this many components.", least=1)
    bound: str = _option(
        "networks",
        "tanh",
        "What keeps the encoder's output in range. ali: always linear, as its codes must match z ~ N(0, I).",
        choices=["tanh", "linear", "tanh_3", "tanh_0.5", "clip_0.5", "clip_1", "clip_3", "stochastic_clip"],
    )
    folded: bool = _option(
        "networks", True, "Convolutions computed together with pooling, doubling, normalization: the same, faster."
    )

    batch_size: int = _option("training", 64, "Images per update; several devices share them.", least=1, first=True)
    iterations: int = _option(
        "training",
        20_000,
        "GAN phase: generator updates, each after --n_critic critic updates. ae, adv_ae, ali, ganomaly: updates of all.",
        least=1,
        free=True,
        first=True,
    )
    n_critic: int = _option(
        "training",
        5,
        "Critic updates, each on fresh images, per generator update (adv_ae: per autoencoder update); a DCGAN has one.",
        least=1,
    )
    learning_rate: float = _option(
        "training",
        1e-4,
        "GAN phase: Adam's step size for generator and critic (ResNets: beta_1 0, beta_2 0.9; DCGAN: 0.5, 0.999). "
        "adv_ae, ae, ali: Adam's as well (0, 0.9; 0.9, 0.999; 0.5, 0.999).",
        least=0.0,
        free=True,
    )
    gradient_penalty: float = _option("training", 10.0, "Weight of the gradient penalty in the critic's loss.", least=0.0)
    penalty_every: int = _option("training", 1, "Take that penalty in each K-th critic update only, K times as strong.", least=1)
    members: int = _option(
        "training",
        1,
        "GAN phase: train so many GANs, and encoders, of as many seeds from --seed on, and average their scores.",
        least=1,
        most=16,
    )
    augment: str = _option(
        "training",
        "",
        "GAN phase: random changes of all that the critic sees, real or generated, for a few hundred images: some of those in "
        "--augment=colour,translation,cutout; empty: none, as in the papers.",
    )
    average: float = _option(
        "training",
        0.0,
        "GAN phase: decay, such as 0.99, of a moving average of the weights of generator and critic, which takes their place "
        "once they are trained; 0: none, as in the papers.",
        least=0.0,
        most=0.99999,
    )
    adversarial_weight: float = _option(
        "training",
        1e-3,
        "adv_ae: weight of -mean D(G(E(x))) beside the mean square error, whose weight is 1. Not from the papers: with an error "
        "of 0.02 on 64x64 pixels the critic's pull on a restored image is a quarter of the error's.",
        least=0.0,
    )
    gan_from: str = _option(
        "training", "", "GAN phase: take the finished GAN of this run directory instead of training one.", path=True
    )
    encoder_iterations: int = _option("encoder", 50_000, "Encoder phase: encoder updates.", least=1, free=True, first=True)
    encoder_learning_rate: float = _option("encoder", 5e-5, "Encoder phase: RMSprop's step size (rho 0.9).", least=0.0, free=True)
    encoder_loss: str = _option("encoder", "izi_f", "What the encoder minimizes.", choices=["izi_f", "izi", "ziz", "izi_ziz"])
    kappa: float = _option(
        "detector", 1.0, "Weight of the feature residual, in izi_f and in the score A = A_R + kappa A_D.", least=0.0
    )
    score: str = _option(
        "detector",
        "robust",
        "What decides: the method's own score as its paper has it, or one combination of terms for all data. Methods without a "
        "critic have their own alone.",
        choices=["robust", "paper"],
        free=True,
    )
    nearest_normals: int = _option(
        "detector",
        2000,
        "At most this many training images are kept in the detector for the distance to the nearest ones, a kilobyte each.",
        least=1,
        free=True,
    )
    mapping_start: str = _option(
        "detector",
        "nearest",
        "iterative, anogan: where the search for z starts: at the nearest of 512 samples, at one random z for all images as in "
        "the papers, or (iterative) where a trained encoder says.",
        choices=["nearest", "random", "encoder"],
    )
    mapping_clipping: str = _option(
        "detector",
        "projected",
        "iterative, anogan: what becomes of coordinates of z outside [-1, 1]: they stop at the border, and the steps shrink; or "
        "they are redrawn inside, as in the papers.",
        choices=["projected", "stochastic"],
    )
    mapping_steps: int = _option(
        "detector", 300, "iterative, anogan: updates of z per image (f-AnoGAN's paper: 300, AnoGAN's: 500).", least=0
    )
    mapping_learning_rate: float = _option(
        "detector",
        0.1,
        "iterative, anogan: Adam's step size for z, whose coordinates lie in [-1, 1]; the first one where steps shrink, to a "
        "fiftieth. The papers give none; 0.02 suits --mapping_clipping=stochastic.",
        least=0.0,
    )
    mapping_patience: int = _option(
        "detector", 0, "iterative, anogan: an image is done after so many updates that gained less than 0.1 %; 0: never.", least=0
    )
    anogan_variant: str = _option(
        "detector",
        "anogan",
        "anogan: the paper's score, or its references: gan_r (the discriminator's output on G(z) instead of its features), p_d "
        "(its output on the image itself, no mapping).",
        choices=["anogan", "gan_r", "p_d"],
    )
    anogan_lambda: float = _option(
        "detector",
        0.1,
        "anogan: lambda in the score A = (1 - lambda) R + lambda D, sums over pixels and features.",
        least=0.0,
        most=1.0,
    )
    ganomaly_autoencoder: str = _option(
        "networks",
        "dcgan",
        "ganomaly: what restores: encoder and decoder of a DCGAN, or a residual U-Net, which may copy (chest X-ray thesis, A.2).",
        choices=["dcgan", "unet"],
    )
    ganomaly_adversarial: float = _option(
        "training",
        1.0,
        "ganomaly: weight of the mean square difference of the discriminator's features (Akcay et al. 2018).",
        least=0.0,
    )
    ganomaly_contextual: float = _option(
        "training",
        50.0,
        "ganomaly: weight of the mean absolute difference of the pixels; roi_ganomaly: of what --consistency asks for.",
        least=0.0,
    )
    consistency: str = _option(
        "training",
        "sure",
        "roi_ganomaly: how far restored organs are from the films': an unbiased estimate of the distance from films without "
        "noise, Gaussian or also of photons (Poisson), or the square distance from the films as they are.",
        choices=["sure", "poisson_gauss", "l2"],
    )
    noise_sigma: float = _option(
        "training",
        0.0,
        "roi_ganomaly: standard deviation of the films' Gaussian noise, in gray levels of which there are 2 from black to white; "
        "0: estimated from held-out films.",
        least=0.0,
    )
    ganomaly_encoding: float = _option(
        "training", 1.0, "ganomaly: weight of the mean square difference of the encodings.", least=0.0
    )
    fit_images: int = _option(
        "training",
        10_000,
        "pca, ocsvm: at most this many training images, drawn by --seed; all are held in memory at once.",
        least=2,
    )
    denoise: bool = _option("encoder", False, "Encoder phase: set 20 % of the encoder's input pixels to 0 at random.")

    seed: int = _option("training", 0, "Seed of everything random but the split.", least=0, most=2**31 - 1, first=True)
    deterministic: bool = _option("training", False, "Same seed, same bits: slower on a GPU.")
    mixed_precision: str = _option(
        "networks",
        "none",
        "Arithmetic of the networks; weights stay float32. auto: bfloat16 where the device is made for it, else none. float16, "
        "with loss scaling: for GPUs.",
        choices=["none", "bfloat16", "float16", "auto"],
        free=True,
    )
    jit_compile: str = _option(
        "running", "auto", "Compile training with XLA; auto: on a GPU.", choices=["auto", "true", "false"], free=True, bare=True
    )
    steps_per_call: str = _option(
        "running", "auto", "Iterations per call of the training step; auto: half a second's.", free=True
    )
    strategy: str = _option(
        "running",
        "none",
        "Devices that share each batch of training: one; all GPUs of this machine; or those of all workers in TF_CONFIG.",
        choices=["none", "mirrored", "multi_worker"],
        free=True,
    )
    logical_devices: int = _option(
        "running", 1, "mirrored, without a GPU: make so many devices of the CPU, to try it; no faster.", least=1, free=True
    )
    checkpoint_every: int = _option("running", 250, "Iterations between checkpoints.", least=1, free=True)
    log_every: int = _option("running", 10, "Iterations between TensorBoard scalars.", least=1, free=True)
    sample_every: int = _option("running", 250, "Iterations between sample sheets.", least=1, free=True)

    false_positive_rate: float = _option(
        "detector", 0.05, "Share of normal images that may be called anomalous.", least=0.0001, most=0.5, free=True, first=True
    )
    threshold_rule: str = _option(
        "detector",
        "quantile",
        "Threshold from held-out normals: their quantile at --false_positive_rate, or their mean + 3 sd.",
        choices=["quantile", "mean_3sd"],
        free=True,
    )
    screened: float = _option(
        "detector",
        0.0,
        "Share of normal images that a filter reports as certainly normal, so that nobody need read them: those that score lower "
        "than this quantile of held-out normals; 0: no filter.",
        least=0.0,
        most=0.99,
        free=True,
    )
    score_batch_size: int = _option(
        "running", 0, "Images scored at once, 0 for what suits the machine; changes speed, not scores.", least=0, free=True
    )


def names(*scopes: str, free: bool = False) -> frozenset[str]:
    """Names of the options of `scopes`, of all without any; `free`: of those that may change alone."""
    fields = (field for field in dataclasses.fields(Options) if field.metadata["scope"] in (scopes or SCOPES))
    return frozenset(field.name for field in fields if field.metadata["free"] or not free)


FREE = names(free=True)
PATHS = tuple(field.name for field in dataclasses.fields(Options) if field.metadata["path"])


def differing(kept: Options, options: Options, given: frozenset[str]) -> list[str]:
    """Names, sorted, of the `given` ones among `options` that are something else in `kept`."""
    return [name for name in sorted(given) if getattr(kept, name) != getattr(options, name)]
