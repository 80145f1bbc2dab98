"""Networks that come from files, as a config names them."""

#: One's own, clean.
MINE = {
    "file": "/mine.pt",
    "sha256": None,
    "architecture": "resnet18",
    "norm": "clean",
    "epsilon": 0.0,
    "classes": 10,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
