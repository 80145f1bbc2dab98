"""The page that a run ends with: what was asked, what came out, every verdict, charts, methods.

It is made of tables of the room analysis, of what the toy models' graphs are drawn from, and of a gallery.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import altair as alt
import pandas as pd
import pyarrow.parquet as pq
import yaml

from interference.analysis.figures.abundance import GAINS
from interference.analysis.figures.overlap import LIKENESS
from interference.analysis.figures.style import layers
from interference.analysis.findings import NOT_TESTED, VERDICTS
from interference.analysis.frames import SAE_TYPES, read_frames
from interference.analysis.rivals import VARIANTS
from interference.config.load import read_config
from interference.provenance import canonical
from interference.report.charts import canvas, graph, latents, networks, perturbations, rivals
from interference.report.charts import toy as toy_charts
from interference.report.charts.base import Chart
from interference.report.finished import judged
from interference.report.headlines import headlines
from interference.report.methods import asked, methods
from interference.report.provenance import gathered
from interference.report.shell import render
from interference.report.verdicts import ARMS, Verdict, command, verdicts
from interference.store.files import replacing

#: Arm → what its section says first.
TEXTS = {
    "toy": "A bottleneck stores more features than it has dimensions as soon as they are sparse enough. "
    "Here superposition is known, and so is the strongest attack, up to a certified bound.",
    "canvas": "A pixel of one image can reach the answer about another through the bottleneck alone. So "
    "what an attack gains there is interference, by construction.",
    "rivals": "Two papers carry the preprint on, and dispute it. Where class vectors share a bottleneck, their "
    "geometry should foretell where attacks point; we force it on some classifiers, so that neighbours are not "
    "classes that look alike anyway. And if adversarial training adds features where there is room for them, it "
    "does not work by taking superposition away.",
    "networks": "Nobody knows the features of a real network. What sparse autoencoders see of them stands "
    "beside what they see where there is nothing to find, and beside controls as strong as the attack. "
    "On canvases, where superposition is known, neither FVU nor the number of latents that an attack wakes "
    "was a valid proxy of it.",
}


@dataclass(frozen=True)
class Arm:
    """A section: an arm of the experiment. name: a key of `ARMS`; text: its first paragraph."""

    name: str
    title: str
    text: str
    charts: Sequence[Chart]


def run(
    spec: dict,
    output: Path,
    claims: Sequence[Path],
    accuracy: Sequence[Path] = (),
    saes: Sequence[Path] = (),
    matched: Sequence[Path] = (),
    baselines: Sequence[Path] = (),
    l0: Sequence[Path] = (),
    fair: Sequence[Path] = (),
    splice: Sequence[Path] = (),
    interventions: Sequence[Path] = (),
    defences: Sequence[Path] = (),
    least: Sequence[Path] = (),
    structure: Sequence[Path] = (),
    exchange: Sequence[Path] = (),
    gates: Sequence[Path] = (),
    toy: Sequence[Path] = (),
    pairs: Sequence[Path] = (),
    example: Sequence[Path] = (),
    dose: Sequence[Path] = (),
    crossover: Sequence[Path] = (),
    adversarial: Sequence[Path] = (),
    transfer: Sequence[Path] = (),
    proxies: Sequence[Path] = (),
    mounted: Sequence[Path] = (),
    bottlenecks: Sequence[Path] = (),
    abundance: Sequence[Path] = (),
    interpretability: Sequence[Path] = (),
    relearning: Sequence[Path] = (),
    overlap: Sequence[Path] = (),
    pictures: Sequence[Path] = (),
) -> None:
    """Write the page, and the config beside it, which the page's commands are run with.

    spec: ``config``, the experiment's whole config, YAML; ``figures``, paths of its figures by name.
    claims … overlap: the tables, by name; pairs, example: of toy/geometry; pictures: galleries, PNG.
    """
    given = {
        "claims": claims, "accuracy": accuracy, "saes": saes, "matched": matched,
        "baselines": baselines, "l0": l0, "fair": fair, "splice": splice,
        "interventions": interventions, "defences": defences, "least": least, "structure": structure,
        "exchange": exchange,
        "gates": gates, "toy": toy, "pairs": pairs,
        "example": example, "dose": dose, "crossover": crossover, "adversarial": adversarial,
        "transfer": transfer, "proxies": proxies, "mounted": mounted,
        "bottlenecks": bottlenecks, "abundance": abundance,
        "interpretability": interpretability, "relearning": relearning,
        "overlap": overlap,
    }  # fmt: skip
    paths = {name: found for name, found in given.items() if found}
    tables = {name: read_frames(found) for name, found in paths.items()}
    config = output.with_name("config.yaml")
    with replacing(config) as temporary:
        temporary.write_text(f"# {canonical(spec)}\n{spec['config']}", encoding="utf-8")
    page = compose(
        spec, tables, sources=[*_sources(paths)], pictures=gallery(pictures),
        provenance=gathered(read_config(config)),
    )  # fmt: skip
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def compose(
    spec: dict, tables: Mapping[str, pd.DataFrame], *, sources: Sequence[dict],
    pictures: dict | None, provenance: dict,
) -> str:  # fmt: skip
    """The page as HTML. tables: by name; claims must be there.

    sources: what the page is made of, see `_sources`; pictures: a gallery, see `gallery`; provenance: of
    `provenance.gathered`.
    """
    config, claims = yaml.safe_load(spec["config"]), judged(tables["claims"])
    name = config["experiment"]
    place = f"results/{name}/report/config.yaml"
    found = verdicts(claims, spec["figures"])
    sections = [*_sections(config, tables)]
    charts = {chart.name: chart for section in sections for chart in section.charts}
    networks_here = claims[claims["layer"] != ""]
    counts = claims["verdict"].value_counts().to_dict()
    return render(
        "page.html",
        title=f"{name}: do adversarial examples come from superposition?",
        spec=canonical(spec),
        experiment=name,
        asked=asked(config),
        headlines=headlines(claims),
        here=bool((claims["about"] == "this network").any()),
        networks="models" in config,
        totals={said: counts[said] for said in VERDICTS if said in counts},
        layers=layers(networks_here),
        types={key: text for key, text in SAE_TYPES.items() if key in set(claims["type"])},
        verdicts=found,
        untested=_untested(tables["claims"]),
        values={verdict.key: _values(verdict, charts) for verdict in found},
        commands={v.figure: command(name, f"analysis/{v.figure}.svg", place) for v in found},
        sections=sections,
        charts=charts,
        specs={key: chart.spec for key, chart in charts.items()},
        gates=tables["gates"].to_dict("records") if "gates" in tables else [],
        pictures=pictures,
        methods=[*methods(config)],
        sources=sources,
        provenance=provenance,
        config=spec["config"],
        again=f"snakemake --cores all --configfile {place}",
        library=f"Vega-Lite {alt.SCHEMA_VERSION}, by Altair {alt.__version__} and vl-convert "
        f"{version('vl-convert-python')}",
    )


def _sections(config: dict, tables: Mapping[str, pd.DataFrame]) -> Iterator[Arm]:
    """Yield the arms that the experiment has, with their charts."""
    confidence = config["analysis"]["confidence"]
    drawn = {
        "toy": ("toy", [*toy_charts.charts(tables), *graph.charts(tables)]),
        "canvas": ("canvas", [*canvas.charts(tables, confidence)]),
        "rivals": ("rivals", [*rivals.charts(tables, confidence)]),
        "networks": (
            "models",
            [*networks.charts(tables), *latents.charts(tables), *perturbations.charts(tables)],
        ),
    }
    for arm, (section, charts) in drawn.items():
        if section in config:
            yield Arm(arm, ARMS[arm], TEXTS[arm], charts)


def _untested(claims: pd.DataFrame) -> list[dict]:
    """Claims that the run is not about, by what they would take: a list of wordings under each."""
    rows = claims[claims["verdict"] == NOT_TESTED]
    return [
        {"takes": why, "wordings": part["claim"].tolist()}
        for why, part in rows.groupby("why", sort=False)
    ]


def _values(verdict: Verdict, charts: Mapping[str, Chart]) -> dict[str, str]:
    """What the controls of a verdict's chart start with: where its first telling row is."""
    if verdict.chart not in charts:
        return {}
    first = min(verdict.rows, key=lambda row: VERDICTS.index(row["verdict"]))
    wanted = {"layer": first["layer"], "type": first["type"]}
    if verdict.key == "interference-share":  # which clean images have none of
        wanted |= {"quantity": "interference_share", "reference": first["against"]}
    for suffix, _, column in VARIANTS:
        if suffix and verdict.key.endswith(suffix):
            wanted |= {"what": GAINS[column]}
    if verdict.chart == "mlps":  # to which claims on accuracy open
        wanted |= {"what": rivals.COUNTS["accuracy"]}
    for proxy, name in rivals.PROXIES.items():
        if verdict.key.startswith(f"rivals-interpretability-{proxy}"):
            wanted |= {"what": name}
    for column, name in LIKENESS.items():
        if verdict.key.startswith(f"rivals-overlap-{column}"):
            wanted |= {"what": name}
    if verdict.key == "rivals-relearning-next":
        wanted |= {"targets": rivals.TARGETS["next"]}
    return {name: value for name, value in wanted.items() if value}


def _sources(paths: Mapping[str, Sequence[Path]]) -> Iterator[dict]:
    """Yield of each table its name, rows, digest of its code and of its bytes, and where its CSV is."""
    for name, files in paths.items():
        metadata = [pq.read_metadata(path) for path in files]
        spec = json.loads((metadata[0].metadata or {}).get(b"spec", b"{}"))
        both = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        in_analysis = files[0].parent.name == "tables"
        yield {
            "name": name,
            "rows": sum(one.num_rows for one in metadata),
            "code": spec.get("code", {}).get("digest", "–"),
            "digest": both[:16],
            "link": f"../analysis/tables/{files[0].stem}.csv" if in_analysis else "",
        }


def gallery(pictures: Sequence[Path]) -> dict | None:
    """The first gallery, which is of a clean network: its name and PNG in base64; None of none."""
    if not pictures:
        return None
    data = base64.b64encode(pictures[0].read_bytes()).decode("ascii")
    return {"model": pictures[0].stem, "data": data}
