"""Rooms and steps: one name of each for its rule, its verb, its module and its folders."""

from interference.plan.entries import Step

#: Rooms with jobs, upstream first; each has its folder of results.
ROOMS = {
    "data": "Images and their split.",
    "models": "Networks trained at each epsilon, or taken from files.",
    "attacks": "Adversarial images and what the networks make of them.",
    "activations": "What a layer says.",
    "saes": "Sparse autoencoders.",
    "probes": "What SAEs see under attack, and what they cost the network.",
    "toy": "Toy models of superposition.",
    "canvas": "Networks that read grids of images through a bottleneck of known superposition.",
    "rivals": "What the preprint's rivals claim, on networks that see real images.",
    "analysis": "Tables and figures from what the other rooms measured.",
    "report": "What people read: the page that a run ends with.",
}

STEPS = (
    Step("data", "images", "Read a dataset, split it, and store images, labels and statistics."),
    Step("models", "trunk", "Train the clean network that all of a seed start from.", gpu=True),
    Step("models", "finetune", "Train a copy of a trunk at an epsilon.", gpu=True),
    Step("models", "convert", "Fetch a checkpoint, check it, and convert it to safetensors."),
    Step("models", "predict", "Predict the clean evaluation images.", gpu=True),
    Step("attacks", "craft", "Attack a network with one method, at each of its epsilons.", gpu=True),
    Step("attacks", "least", "Flip a network's predictions by the least changes that are found.",
         gpu=True),
    Step("attacks", "structure", "Measure what an attack's perturbations look like, beside noise and the "
         "input gradient.", gpu=True),
    Step("attacks", "exchange", "Show every network's adversarial images to all networks, and compare "
         "what these make of clean ones.", gpu=True),
    Step("activations", "part", "Store a layer's raw rows on a part of the training images, "
         "for `extract` to put together.", gpu=True),
    Step("activations", "extract", "Store a layer's standardised rows on training and held-out "
         "images.", gpu=True),
    Step("saes", "fit", "Train every sparsity and seed of one SAE type on a layer's rows.", gpu=True),
    Step("saes", "baselines", "Reconstruct a layer's rows by PCA, and train SAEs on whitened rows "
         "and on a Gaussian surrogate.", gpu=True),
    Step("probes", "measure", "Count a layer's latents that are active, clean and under every "
         "attack, and put each SAE's reconstruction in place of the layer.", gpu=True),
    Step("probes", "intervene", "Put the latents that an attack woke back to their clean values, or "
         "into clean images, and predict.", gpu=True),
    Step("probes", "defend", "Attack the network through reconstructions of its layers, by SAEs and "
         "by PCA.", gpu=True),
    Step("probes", "gallery", "Choose the latents that an attack wakes most, and images that show "
         "them.", gpu=True),
    Step("toy", "train", "Train every density, seed and training mode as one stack.", gpu=True),
    Step("toy", "vulnerability", "Attack the trained stack and measure its superposition."),
    Step("toy", "geometry", "Write how features of a few models overlap, and what an attack does "
         "to one input."),
    Step("canvas", "learn", "Teach a family of networks on canvases of one regime and seed."),
    Step("canvas", "flip", "Flip features of canvases by the least change, and measure superposition."),
    Step("canvas", "transfer", "Show attacks on the network of one seed to those of all others."),
    Step("canvas", "calibrate", "Measure proxies of superposition where its dose is known."),
    Step("canvas", "mount", "Teach bottlenecks on a frozen network, and flip features through it."),
    Step("rivals", "classify", "Teach classifiers through bottlenecks, of one seed."),
    Step("rivals", "aim", "Attack them, and ask whether the geometry of class vectors foretold it."),
    Step("rivals", "count", "Count effective features over classes, hidden units and epsilon."),
    Step("rivals", "overlap", "Show attacks on MLPs to each other, and compare their SAE dictionaries."),
    Step("rivals", "relearn", "Teach networks from attacks alone, and ask them about clean images."),
    Step("report", "page", "Write the page that answers the question: verdicts, charts, methods."),
)  # fmt: skip
