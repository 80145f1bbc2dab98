"""No setting of the user's shell, notebook or home changes or breaks what a verb makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from interference.provenance import code_digest

#: A figure with text, mathematics and a colour cycle, drawn as a verb draws.
FIGURE = """
import sys
from pathlib import Path
import interference.cli.main
from interference.analysis.figures import style
figure, axes = style.grid(1, 1)
axes[0, 0].plot([0, 1], [1, 0], label="at $L_2$")
axes[0, 0].set_title("a title")
axes[0, 0].legend()
style.save(figure, Path(sys.argv[1]), {})
"""
SETTINGS = """
text.usetex: True
font.size: 30
axes.prop_cycle: cycler(color=["k"])
savefig.bbox: tight
axes.formatter.use_locale: True
svg.fonttype: none
backend: tkagg
"""


def python(code: str, *arguments: str, folder: Path, **variables: str | None) -> str:
    """What code prints, with the environment changed (None: without the variable)."""
    changed = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={name: value for name, value in changed.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Bytes of the figure, drawn with an environment and with files in the working directory."""

    def draw(variables: dict[str, str], files: dict[str, bytes]) -> list[bytes]:
        folder = tmp_path_factory.mktemp("figure")
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        plain = {"MPLBACKEND": None, "MATPLOTLIBRC": None, "MPLCONFIGDIR": None}
        python(FIGURE, "figure.svg", folder=folder, **(plain | variables))
        return [(folder / f"figure.{suffix}").read_bytes() for suffix in ("svg", "png")]

    return draw


@pytest.fixture(scope="module")
def plain(drawn):
    return drawn({}, {})


RC = SETTINGS.encode()
HOSTILE = {
    "a notebook's backend": ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, {}),
    "a backend that is nowhere": ({"MPLBACKEND": "tkogg"}, {}),
    "a matplotlibrc here": ({}, {"matplotlibrc": RC}),
    "MATPLOTLIBRC": ({"MATPLOTLIBRC": "rc/mine"}, {"rc/mine": RC}),
    "a folder of settings": (
        {"MPLCONFIGDIR": "mpl"},
        {"mpl/matplotlibrc": RC, "mpl/stylelib/classic.mplstyle": b"\xff\xfe"},
    ),
    "settings that are no text": ({"MPLCONFIGDIR": "mpl"}, {"mpl/matplotlibrc": b"\xff\xfe"}),
    "settings in the home": ({"XDG_CONFIG_HOME": "x"}, {"x/matplotlib/matplotlibrc": RC}),
    "a folder that cannot be made": ({"MPLCONFIGDIR": "file/below"}, {"file": b""}),
    "a date": ({"SOURCE_DATE_EPOCH": "yesterday"}, {}),
    "warnings as errors": ({"PYTHONWARNINGS": "error"}, {}),
    "no docstrings": ({"PYTHONOPTIMIZE": "2"}, {}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_figure_has_the_same_bytes_whatever_the_user_has_set(case, drawn, plain):
    assert drawn(*HOSTILE[case]) == plain


def test_a_figure_drawn_without_a_verb_starts_from_matplotlibs_own_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\n")
    code = """from interference.analysis.figures.style import mpl as m
print(*(m.rcParams[name] for name in ("text.usetex", "font.size", "backend")))"""
    assert python(code, folder=tmp_path) == "False 9.0 agg\n"


LIBRARIES = """
import interference.cli.main
import json, numba, torch, warnings
from numba.core import config
from interference.store.arrays import zarr
warnings.warn("a library's", DeprecationWarning)
own = zarr.config.get("default_zarr_format"), zarr.config.get("codec_pipeline.path")
print(json.dumps([config.DISABLE_JIT, config.NUMBA_NUM_THREADS, config.CACHE_DIR, *own,
                  torch.backends.cpu.get_cpu_capability()]))
"""


def test_kernels_stores_and_instructions_are_those_of_a_plain_shell(tmp_path):
    (tmp_path / "zarr.yaml").write_text("codec_pipeline: {path: zarrs.ZarrsCodecPipeline}\n")
    (tmp_path / ".config" / "zarr").mkdir(parents=True)
    (tmp_path / ".config" / "zarr" / "mine.yaml").write_text("default_zarr_format: 2\n")
    plain = json.loads(python(LIBRARIES, folder=tmp_path, ATEN_CPU_CAPABILITY=None))
    hostile = {
        "NUMBA_DISABLE_JIT": "1",
        "NUMBA_NUM_THREADS": "64",
        "NUMBA_CACHE_DIR": "/proc/nowhere",
        "ZARR_DEFAULT_ZARR_FORMAT": "2",
        "ZARR_CONFIG": str(tmp_path / "zarr.yaml"),
        "HOME": str(tmp_path),
        "ATEN_CPU_CAPABILITY": "default",
        "TORCH_LOGS": "no such thing",
        "OMP_NUM_THREADS": "64",
        "PYTHONWARNINGS": "error",
    }
    assert json.loads(python(LIBRARIES, folder=tmp_path, **hostile)) == plain
    assert plain[:4] == [0, 1, "", 3]


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_digest_is_the_same_under_every_locale(tmp_path):
    root = "interference.saes.types.topk"
    code = f"from interference.provenance import code_digest; print(code_digest(({root!r},)))"
    assert python(code, folder=tmp_path, **ASCII).strip() == code_digest((root,))


def test_a_verb_says_what_the_terminal_has_no_letters_for(tmp_path):
    said = python("import interference.cli.main; print(chr(0x3B5))", folder=tmp_path, **ASCII)
    assert said == "\\u03b5\n"


CACHE = """
import os
from interference.cli.environment import settle_home
settle_home()
print(os.environ.get("XDG_CACHE_HOME", ""))
"""


def test_caches_stay_the_users_where_they_can_be_written(tmp_path):
    for variables in ({"HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path / "made")}):
        given = {"XDG_CACHE_HOME": None, **variables}
        assert python(CACHE, folder=tmp_path, **given).strip() == (given["XDG_CACHE_HOME"] or "")


@pytest.mark.parametrize("home", ["/proc", "{}/file", "{}/file/below", "not/absolute"])
def test_caches_are_the_working_directorys_where_home_cannot_be_written(home, tmp_path):
    (tmp_path / "file").touch()
    given = {"HOME": home.format(tmp_path), "XDG_CACHE_HOME": None}
    assert python(CACHE, folder=tmp_path, **given).strip() == str(tmp_path / ".snakemake/cache")
