"""The page of published results, as text: charts, numbers, names, bytes, size."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from interference.analysis.figures.abundance import GAINS
from interference.config.load import read_config
from interference.plan.outputs import known_by
from interference.plan.specs import Specs
from interference.provenance import canonical
from interference.report import page as page_module
from interference.report.charts.overlap import LIKENESS
from interference.report.charts.rivals import PROXIES, TARGETS
from interference.report.finished import judged
from interference.report.methods import asked, methods
from interference.report.provenance import gathered
from interference.report.shell import number
from interference.report.verdicts import ARMS, arm_of
from tests.support import REPO, default
from tests.support.pages import (
    PROVENANCE,
    PUBLISHED,
    Reader,
    charts_of,
    composed,
    page_of,
    spec_of,
    tables_of,
)

pytestmark = pytest.mark.xdist_group("pages")

#: Charts of the page, written by hand. What publication leaves out, graphs of toy models, is in the
#: page of the tiny experiment.
CHARTS = {
    "fashion": {"accuracy", "saes", "matched", "baselines", "splice", "l0", "fair", "interventions",
                "defences", "least", "structure", "exchange", "dose", "dose-ratio", "mounted"},
    "canvas": {"dose", "dose-ratio", "crossover", "ladder", "transfer", "ruler"},
    "toy-full": {"toy", "toy-phase"},
    "rivals": {"bottleneck-fallen", "bottleneck-direction", "bottleneck-profile", "bottleneck-transfer",
               "abundance", "mlps", "interpretability", "relearning", "overlap"},
}  # fmt: skip
HOSTILE = ["<script>alert(1)</script>", "\"quotes\" & 'quotes'", "naïve ε → 漢字", "=1+1"]
CONFIGS = sorted(
    path
    for folder in ("workflow/experiments", "tests/experiments")
    for path in (REPO / folder).glob("*.yaml")
)


def rows_of(page: str) -> list[list[str]]:
    """Cells of the rows of verdicts."""
    return [cells for attributes, cells in Reader(page).rows if "data-verdict" in attributes]


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_a_page_has_these_charts_each_with_rows(experiment):
    charts = charts_of(page_of(experiment))
    assert charts.keys() == CHARTS[experiment]
    for name, spec in charts.items():
        texts = [data for data in spec["datasets"].values() if isinstance(data, str)]
        longest = max(texts, key=len)
        assert len(pd.read_csv(io.StringIO(longest))) > 1, name
        assert spec["description"], name


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_every_verdict_is_in_the_page_with_its_numbers(experiment):
    claims = judged(tables_of(experiment)["claims"])
    shown = rows_of(page_of(experiment))
    assert len(shown) == len(claims)
    by_key = [
        row for _, part in claims.groupby("key", sort=False) for row in part.to_dict("records")
    ]
    arms = [*ARMS]  # whose sections the page has in order
    by_key.sort(key=lambda row: arms.index(arm_of(row["key"])))
    for cells, row in zip(shown, by_key):
        low, high = number(row["low"]), number(row["high"])
        interval = "–" if np.isnan(row["low"]) else f"[{low}, {high}]"
        assert cells[:3] == [row["scope"], number(row["measured"]), interval]
        assert [cell.strip() for cell in cells[3:]] == [
            row["interval"], row["reported"], row["verdict"],
            {"yes": "survives", "no": "may be chance"}.get(row["survives"], ""), row["why"],
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(-0.35946, "−0.3595"), (1e-5, "1e−05"), (float("nan"), "–"), (7, "7")]
)
def test_a_number_has_four_digits_and_a_true_minus(value, text):
    assert number(value) == text


def of_six_seeds(values: pd.Series) -> list[float]:
    """Mean and ends of Student's interval of 95 %. values: one per seed."""
    assert len(values) == 6
    half = 2.570582 * values.std(ddof=1) / 6**0.5  # the quantile of 0.975 with 5 degrees of freedom
    return [values.mean(), values.mean() - half, values.mean() + half]


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_a_chart_shows_the_numbers_of_its_table(experiment):
    """Of a chart per arm one number, looked up in the table by hand."""
    charts, tables = charts_of(page_of(experiment)), tables_of(experiment)

    def rows(name):
        texts = [data for data in charts[name]["datasets"].values() if isinstance(data, str)]
        return pd.read_csv(io.StringIO(max(texts, key=len)))

    if experiment == "fashion":
        found = rows("matched").query("layer == 'layer2' and type == 'topk' and norm == 'l2'")
        table = tables["matched"].query(
            "layer == 'layer2' and type == 'topk' and family == 'l2' and about == 'networks'"
        )
        found, table = found.sort_values("epsilon"), table.sort_values("model_epsilon")
        np.testing.assert_allclose(found["fvu"], table["fvu"], rtol=1e-4)
        np.testing.assert_allclose(found["high"], table["fvu_high"], rtol=1e-4)
    elif experiment == "canvas":
        found = rows("dose-ratio").query(
            "regime == 'dense' and family == 'dose' and what == 'attack' and dose == 3"
        )
        table = tables["dose"].query("regime == 'dense' and family == 'dose' and dose == 3")
        np.testing.assert_allclose(
            found[["value", "low", "high"]].to_numpy()[0],
            np.exp(of_six_seeds(table["interference"])),
            rtol=1e-4,
        )
    elif experiment == "rivals":
        chosen = "width == 3 and kind == 'forced'"
        found = rows("bottleneck-direction").query(
            f"{chosen} and trained == 'clean' and what == 'any other class'"
        )
        table = tables["bottlenecks"].query(f"{chosen} and epsilon == 0")
        assert len(table) == 12  # two frames of each seed, which count once
        np.testing.assert_allclose(
            found[["value", "low", "high"]].to_numpy()[0],
            of_six_seeds(table.groupby("seed")["cosine_other"].mean()),
            rtol=1e-4,
        )
    else:
        found = rows("toy").query(
            "quantity == 'vulnerability' and attack == 'strongest' and inputs == 'own'"
        )
        table = tables["toy"].query(
            "quantity == 'vulnerability' and attack == 'strongest' and inputs == 'own'"
        )
        assert len(found) == len(table) == 90
        np.testing.assert_allclose(found["mean"].max(), table["mean"].max(), rtol=1e-4)


def test_intervals_of_canvases_have_the_confidence_of_the_config():
    spec = {**spec_of("canvas")}
    assert "confidence: 0.95" in spec["config"]
    spec["config"] = spec["config"].replace("confidence: 0.95", "confidence: 0.5")
    page = composed(spec, {name: tables_of("canvas")[name] for name in ("claims", "dose")})
    assert "Student’s 50 % intervals" in page
    texts = charts_of(page)["dose-ratio"]["datasets"].values()
    found = pd.read_csv(io.StringIO(max((t for t in texts if isinstance(t, str)), key=len))).query(
        "regime == 'dense' and family == 'dose' and what == 'attack' and dose == 3"
    )
    rows = tables_of("canvas")["dose"].query("regime == 'dense' and family == 'dose' and dose == 3")
    mean, sd = rows["interference"].mean(), rows["interference"].std(ddof=1)
    student = 0.726687 * sd / 6**0.5  # the quantile of 0.75 with 5 degrees of freedom
    np.testing.assert_allclose(
        found[["low", "high"]].to_numpy()[0], np.exp([mean - student, mean + student]), rtol=1e-4
    )


def test_the_same_tables_give_the_same_bytes_in_any_process():
    """Whatever the hash seed, which is drawn in this process, and the time zone; and once more here."""
    code = "from tests.support.pages import page_of; print(page_of('canvas'), end='')"
    environment = {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "PYTHONIOENCODING": "utf-8"}
    environment["PYTHONPATH"] = str(REPO / "workflow" / "lib")
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO, capture_output=True, check=True, env=os.environ | environment,
    ).stdout  # fmt: skip
    before = page_of("canvas")
    assert elsewhere == before.encode()
    page_of.cache_clear()
    assert page_of("canvas") == before


def test_names_come_out_as_text():
    claims = tables_of("toy-full")["claims"]
    hostile = claims.assign(scope=[HOSTILE[i % len(HOSTILE)] for i in range(len(claims))])
    hostile["claim"] = hostile["claim"] + HOSTILE[0]
    table = tables_of("toy-full")["toy"].assign(training="</script><script>alert(2)</script>")
    spec = {**spec_of("toy-full")}
    spec["config"] = spec["config"].replace("toy-full", "'<img src=x onerror=alert(3)>'")
    page = composed(spec, {"claims": hostile, "toy": table})
    reader = Reader(page)
    plain = Reader(page_of("toy-full"))
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in plain.elements]
    assert {cells[0] for cells in rows_of(page)} == set(HOSTILE)
    text = max(charts_of(page)["toy"]["datasets"].values(), key=len)
    assert set(pd.read_csv(io.StringIO(text))["training"]) == {"</script><script>alert(2)</script>"}


def test_no_name_of_a_config_begins_as_a_formula():
    """Cells of CSV that spreadsheets would compute: = + - @. Names begin with a letter or a digit."""
    from interference.config.reader import ConfigError

    values = yaml.safe_load((REPO / "tests/experiments/tiny.yaml").read_text(encoding="utf-8"))
    from interference.config.load import check_config

    for name in ("=1+1", "+1", "-1", "@a", "<script>", 'a"b'):
        with pytest.raises(ConfigError, match="experiment"):
            check_config({**values, "experiment": name})


def test_a_page_needs_nothing_from_elsewhere():
    for experiment in PUBLISHED:
        for tag, attributes in Reader(page_of(experiment)).elements:
            address = attributes.get("src") or attributes.get("href") or ""
            assert address.startswith(("#", "../analysis/", "snakemake.html", "data:", "")), address
            assert "://" not in address
            assert tag != "link"


def test_pages_are_small():
    for page in (page_of("fashion"), default.page()):
        assert len(page.encode()) < 5e6


def test_the_page_from_tables_of_the_defaults_shape_has_every_chart_of_the_defaults():
    """The toy models' graph is of random directions."""
    assert charts_of(default.page()).keys() == {
        "accuracy", "saes", "matched", "baselines", "splice", "l0", "fair", "interventions", "defences",
        "least", "structure", "dose", "dose-ratio", "toy", "toy-phase", "toy-graph",
    }  # fmt: skip
    config, tables = default.SPECS.config, default.tables()
    networks, layers = len(default.SPECS.models), len(default.SPECS.layers)
    sweep = sum(len(settings.sweep) for settings in config.saes.types.named.values())
    assert len(tables["saes"]) >= networks * layers * sweep
    assert tables["toy"]["density"].nunique() == config.toy.densities.count
    scored = 1 + sum(len(method.epsilons) for method in config.attacks.methods.values())
    assert len(tables["accuracy"]) >= networks * scored
    assert "holds here" in default.page()


def test_the_page_says_versions_machine_and_what_the_plan_expects():
    cells = [cells for _, cells in Reader(page_of("canvas")).rows]
    for name, value in {**PROVENANCE["versions"], **PROVENANCE["machine"]}.items():
        assert [name, value] in cells
    assert ["toy/train", "1", "18,000"] in cells
    assert "18,000 core seconds (5.0 core hours) in 1 jobs" in page_of("canvas")


def widened(table: pd.DataFrame, networks: list[tuple[str, float]]) -> pd.DataFrame:
    """The rows of one clean network, or of all, once for each of other networks."""
    if "model_norm" not in table:
        return table
    one = table[table["model_norm"] == "clean"]
    one = one[one["about"] != "one of several"] if "about" in one else one
    one = one[one["type"] != "batch_topk"] if "layer" in one else one
    parts = [
        one.assign(model=f"{norm}-{epsilon}", model_norm=norm, model_epsilon=epsilon)
        for norm, epsilon in networks
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_page_of_the_preprints_plan_is_below_15_megabytes():
    """15 networks, 5 layers, 2 SAE types, the attacks of the reference run."""
    epsilons = (0.01, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0)
    networks = [("clean", 0.0), *(("l2", epsilon) for epsilon in epsilons)]
    networks += [("linf", epsilon / 255) for epsilon in (0.5, 1, 2, 4, 8)]
    tables = {name: widened(table, networks) for name, table in tables_of("fashion").items()}
    page = composed(spec_of("paper"), tables)
    assert charts_of(page).keys() == CHARTS["fashion"] - {"dose", "dose-ratio", "mounted"}
    assert "L∞ 8/255" in max(charts_of(page)["saes"]["datasets"].values(), key=len)
    assert len(page.encode()) < 15e6


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_tables_without_rows_have_no_chart(experiment):
    """As `fair` has none where no network has anything right."""
    tables = {name: table.iloc[:0] for name, table in tables_of(experiment).items()}
    page = composed(spec_of(experiment), tables)
    assert charts_of(page) == {}
    assert rows_of(page) == []


def test_what_no_seed_has_is_no_chart_and_no_number():
    """Of few seeds no transfer is defined, and of networks that all give up no gain of those that do not."""
    lost = dict.fromkeys(["transfer", "transfer_null"], np.nan)
    tables = tables_of("rivals")
    claims = tables["claims"].copy()
    given_up = claims["key"] == "rivals-features-scarcity-alive"
    claims.loc[given_up, ["measured", "low", "high", "verdict"]] = [np.nan] * 3 + ["undecided"]
    changed = {
        "bottlenecks": tables["bottlenecks"].assign(**lost),
        "abundance": tables["abundance"].assign(gain_alive=np.nan),
        "interpretability": tables["interpretability"],
        "relearning": tables["relearning"],
        "overlap": tables["overlap"],
        "claims": claims,
    }
    page = composed(spec_of("rivals"), changed)
    charts = charts_of(page)
    assert charts.keys() == CHARTS["rivals"] - {"bottleneck-transfer"}
    (control,) = (param for param in charts["abundance"]["params"] if param["name"] == "what")
    assert control["bind"]["options"] == [GAINS["gain"], GAINS["gain_beyond"]]
    assert "narrowest network), of networks that still tell classes apart: not measured" in page


def test_claims_on_some_networks_or_on_accuracy_open_to_the_chart_of_these():
    opened = {
        attributes["id"]: json.loads(attributes["data-values"])
        for _, attributes in Reader(page_of("rivals")).elements
        if attributes.get("data-values")
    }
    gains = {
        f"verdict-rivals-features-{key}{suffix}": {"what": GAINS[column]}
        for key in ("universal", "abundance", "scarcity", "complexity", "capacity")
        for suffix, column in (("-alive", "gain_alive"), ("-beyond-units", "gain_beyond"))
    }
    costs = {
        f"verdict-rivals-training-{key}": {"what": "accuracy, clean images (share)"}
        for key in ("cost", "difficulty")
    }
    meant = {
        f"verdict-rivals-interpretability-{proxy}{suffix}": {"what": name}
        for proxy, name in PROXIES.items()
        for suffix in ("", "-sparsity")
    }
    taught = {"verdict-rivals-relearning-next": {"targets": TARGETS["next"]}}
    passed = {
        f"verdict-rivals-overlap-{column}{suffix}-{among}": {"what": name}
        for column, name in LIKENESS.items()
        for suffix in (("",) if column == "cka" else ("", "-beyond-cka"))
        for among in ("alike", "all")
    }
    assert opened == gains | costs | meant | taught | passed
    assert TARGETS["next"] in str(charts_of(page_of("rivals"))["relearning"]["params"])
    charts = charts_of(page_of("rivals"))
    for name, values in (("abundance", gains), ("mlps", costs), ("interpretability", meant),
                         ("overlap", passed)):  # fmt: skip
        control = next(p for p in charts[name]["params"] if p["name"] == "what")
        assert {value["what"] for value in values.values()} <= {*control["bind"]["options"]}


def test_a_page_of_rivals_alone_has_no_section_of_another_arm():
    elements = Reader(page_of("rivals")).elements
    sections = [attributes["id"] for tag, attributes in elements if tag == "section"]
    assert sections == ["asked", "found", "verdicts", "rivals", "methods", "provenance"]
    assert {a["data-arm"] for tag, a in elements if "data-arm" in a} == {"rivals"}
    told = (
        page_of("rivals").partition('<section id="found"')[2].partition('<section id="verdicts"')[0]
    )
    assert (
        "network" not in told.partition('<ol class="headlines">')[0] + told.rpartition("</ol>")[2]
    )


def test_gates_of_checkpoints_are_in_the_page():
    gates = pd.DataFrame([{
        "model": "resnet18_l2_eps0", "gate": "clean accuracy", "source": "a paper", "reported": 0.6979,
        "measured": 0.6981, "low": 0.69, "high": 0.71, "images": 50_000, "verdict": "pass",
    }])  # fmt: skip
    tables = {name: table.iloc[:0] for name, table in tables_of("fashion").items()} | {
        "gates": gates
    }
    page = composed(spec_of("paper"), tables)
    cells = ["resnet18_l2_eps0", "clean accuracy", "0.6981", "[0.69, 0.71]", "0.6979", "pass"]
    assert cells in [cells for _, cells in Reader(page).rows]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_methods_speak_of_every_part_of_a_config(path):
    config = yaml.safe_load(read_config(path).text)
    headings = [heading for heading, _ in methods(config)]
    parts = {"data": "Images", "toy": "Toy models", "canvas": "Canvases", "rivals": "Rivals",
             "models": "Networks and attacks", "saes": "Sparse autoencoders"}  # fmt: skip
    assert headings == [name for key, name in parts.items() if key in config] + ["Statistics"]
    assert asked(config).count("superposition") >= 1


def written(path: str) -> str:
    """The methods of a config, as text."""
    config = yaml.safe_load(read_config(REPO / path).text)
    return " ".join(line for _, lines in methods(config) for line in lines)


def test_methods_say_the_numbers_of_the_config():
    text = written("config.yaml")
    for said in ("4,000 train", "3,200 steps", "10 densities from 1 to 0.1", "3 seeds", "pgd (PGD, 8 steps",
                 "L2 ε ∈ {0.5, 1, 2}", "18 real images", "TopK, sweep 4, 8, 16 and 24",
                 "1,000 draws", "95%", "with 1 seed"):  # fmt: skip
        assert said in text, said
    text = written("workflow/experiments/rivals.yaml")
    for said in ("600 are held out", "10 classes through 64 hidden units", "of 2, 3, 5 and 9 dimensions",
                 "in 2 orders", "20 steps of PGD at L2 ε = 1 on 500", "8, 32 and 128 hidden units",
                 "2, 3, 5 and 10 classes", "with 6 seeds for 1,000 steps", "L∞ ε of 0.1, 0.2 and 0.3"):  # fmt: skip
        assert said in text, said


def test_page_and_config_say_what_made_them_and_the_config_is_the_same(tmp_path):
    claims = tmp_path / "claims.parquet"
    tables_of("toy-full")["claims"].to_parquet(claims)
    spec = spec_of("toy-full")
    page_module.run(spec, tmp_path / "page.html", claims=[claims])
    for name in ("page.html", "config.yaml"):
        assert known_by(tmp_path / name) == {"spec": canonical(spec)}
    again = read_config(tmp_path / "config.yaml")
    assert again == read_config(REPO / "workflow/experiments/toy-full.yaml")
    assert json.loads(Specs(again).page()) == spec
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert claims.stem in page
    made = gathered(again)
    cells = [cells for _, cells in Reader(page).rows]
    for name, value in {**made["versions"], **made["machine"]}.items():
        assert [name, value] in cells
    page_module.run(spec, tmp_path / "again.html", claims=[claims])
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_the_methods_say_which_classes_there_are_and_that_labels_were_shuffled():
    config = yaml.safe_load((REPO / "workflow/experiments/rivals.yaml").read_text(encoding="utf-8"))
    _, (plain,) = next(methods(config))
    config["data"] |= {"classes": 5, "labels": "shuffled"}
    _, (null,) = next(methods(config))
    assert "classes" not in plain
    assert "shuffled" not in plain
    assert "its first 5 classes, with labels that were shuffled among them" in null
