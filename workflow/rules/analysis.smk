rule l0:
    input:
        attacked=layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.json"),
        stores=ancient(
            layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.zarr")
        ),
        saes=in_model(f"{SAES}/{{model}}/{{layer}}/{{type}}.json"),
        dictionaries=ancient(
            in_model(f"{SAES}/{{model}}/{{layer}}/{{type}}.safetensors")
        ),
    output:
        table=f"{ANALYSIS}/l0/{{model}}.parquet",
    log:
        f"{LOGS}/analysis/l0/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/analysis/l0/{{model}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.l0(wildcards.model),
    shell:
        "interference analysis l0 --spec {params.spec:q} --output {output.table}"
        " {input.attacked} {input.saes} > {log} 2>&1"


rule splice:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        rows=layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json"),
        statistics=ancient(
            layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors")
        ),
        saes=in_model(f"{SAES}/{{model}}/{{layer}}/{{type}}.json"),
        dictionaries=ancient(
            in_model(f"{SAES}/{{model}}/{{layer}}/{{type}}.safetensors")
        ),
    output:
        table=f"{ANALYSIS}/splice/{{model}}.parquet",
    log:
        f"{LOGS}/analysis/splice/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/analysis/splice/{{model}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.splice(wildcards.model),
    shell:
        "interference analysis splice --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.table} {input.rows} {input.saes}"
        " > {log} 2>&1"


rule accuracy_table:
    input:
        tables=expand(f"{MODELS}/{{model}}.clean.parquet", model=specs.models)
        + expand(
            f"{ATTACKS}/{{model}}/{{attack}}.parquet",
            model=specs.models,
            attack=specs.attacks,
        ),
    output:
        table=report(
            f"{ANALYSIS}/tables/accuracy.csv",
            caption="../report/accuracy_table.rst",
            category="Tables",
            labels={"table": "accuracy"},
        ),
        parquet=f"{ANALYSIS}/tables/accuracy.parquet",
    log:
        f"{LOGS}/analysis/tables/accuracy.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/accuracy.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("accuracy"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.tables} > {log} 2>&1"


rule saes_table:
    input:
        manifests=each_sae(f"{SAES}/{{model}}/{{layer}}/{{type}}.json"),
        tables=each_sae(f"{SAES}/{{model}}/{{layer}}/{{type}}.parquet"),
    output:
        table=report(
            f"{ANALYSIS}/tables/saes.csv",
            caption="../report/saes_table.rst",
            category="Tables",
            labels={"table": "saes"},
        ),
        parquet=f"{ANALYSIS}/tables/saes.parquet",
    log:
        f"{LOGS}/analysis/tables/saes.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/saes.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("saes"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.manifests} > {log} 2>&1"


rule matched_table:
    input:
        manifests=each_sae(f"{SAES}/{{model}}/{{layer}}/{{type}}.json"),
        tables=each_sae(f"{SAES}/{{model}}/{{layer}}/{{type}}.parquet"),
    output:
        table=report(
            f"{ANALYSIS}/tables/matched.csv",
            caption="../report/matched_table.rst",
            category="Tables",
            labels={"table": "matched"},
        ),
        parquet=f"{ANALYSIS}/tables/matched.parquet",
    log:
        f"{LOGS}/analysis/tables/matched.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/matched.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("matched"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.manifests} > {log} 2>&1"


rule baselines_table:
    input:
        baselines=each_layer(f"{SAES}/{{model}}/{{layer}}/baselines.json"),
        tables=each_layer(f"{SAES}/{{model}}/{{layer}}/baselines.parquet"),
        saes=[
            path
            for sae_type in specs.peers
            for path in each_layer(f"{SAES}/{{model}}/{{layer}}/{sae_type}.parquet")
        ],
    output:
        table=report(
            f"{ANALYSIS}/tables/baselines.csv",
            caption="../report/baselines_table.rst",
            category="Tables",
            labels={"table": "baselines"},
        ),
        parquet=f"{ANALYSIS}/tables/baselines.parquet",
    log:
        f"{LOGS}/analysis/tables/baselines.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/baselines.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("baselines"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.baselines} {input.saes} > {log} 2>&1"


rule l0_table:
    input:
        tables=expand(f"{ANALYSIS}/l0/{{model}}.parquet", model=specs.models),
    output:
        table=report(
            f"{ANALYSIS}/tables/l0.csv",
            caption="../report/l0_table.rst",
            category="Tables",
            labels={"table": "l0"},
        ),
        parquet=f"{ANALYSIS}/tables/l0.parquet",
    log:
        f"{LOGS}/analysis/tables/l0.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/l0.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("l0"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.tables} > {log} 2>&1"


rule splice_table:
    input:
        tables=expand(f"{ANALYSIS}/splice/{{model}}.parquet", model=specs.models),
    output:
        table=report(
            f"{ANALYSIS}/tables/splice.csv",
            caption="../report/splice_table.rst",
            category="Tables",
            labels={"table": "splice"},
        ),
        parquet=f"{ANALYSIS}/tables/splice.parquet",
    log:
        f"{LOGS}/analysis/tables/splice.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/splice.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("splice"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.tables} > {log} 2>&1"


rule toy_table:
    input:
        table=f"{TOY}/vulnerability.parquet",
    output:
        table=report(
            f"{ANALYSIS}/tables/toy.csv",
            caption="../report/toy_table.rst",
            category="Tables",
            labels={"table": "toy"},
        ),
        parquet=f"{ANALYSIS}/tables/toy.parquet",
    log:
        f"{LOGS}/analysis/tables/toy.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/toy.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("toy"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.table} > {log} 2>&1"


rule gates_table:
    input:
        accuracy=f"{ANALYSIS}/tables/accuracy.parquet",
        data=f"{DATA}/images.json",
    output:
        table=report(
            f"{ANALYSIS}/tables/gates.csv",
            caption="../report/gates_table.rst",
            category="Tables",
            labels={"table": "gates"},
        ),
        parquet=f"{ANALYSIS}/tables/gates.parquet",
    log:
        f"{LOGS}/analysis/tables/gates.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/gates.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("gates"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.accuracy} {input.data} > {log} 2>&1"


rule claims_table:
    input:
        accuracy=of_arm("networks", f"{ANALYSIS}/tables/accuracy.parquet"),
        matched=of_arm("networks", f"{ANALYSIS}/tables/matched.parquet"),
        baselines=of_arm("networks", f"{ANALYSIS}/tables/baselines.parquet"),
        l0=of_arm("networks", f"{ANALYSIS}/tables/l0.parquet"),
        toy=of_arm("toy", f"{TOY}/vulnerability.parquet"),
    output:
        table=report(
            f"{ANALYSIS}/tables/claims.csv",
            caption="../report/claims_table.rst",
            category="Tables",
            labels={"table": "claims"},
        ),
        parquet=f"{ANALYSIS}/tables/claims.parquet",
    log:
        f"{LOGS}/analysis/tables/claims.log",
    benchmark:
        f"{BENCHMARKS}/analysis/tables/claims.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.table("claims"),
    shell:
        "interference analysis table --spec {params.spec:q} --output {output.parquet}"
        " {input.accuracy} {input.matched} {input.baselines} {input.l0} {input.toy}"
        " > {log} 2>&1"


rule toy_figure:
    input:
        table=f"{ANALYSIS}/tables/toy.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy.svg",
            caption="../report/toy_figure.rst",
            category="Toy models",
            labels={"figure": "superposition and vulnerability"},
        ),
        png=f"{ANALYSIS}/figures/toy.png",
    log:
        f"{LOGS}/analysis/figures/toy.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule toy_attacks_figure:
    input:
        table=f"{ANALYSIS}/tables/toy.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_attacks.svg",
            caption="../report/toy_attacks_figure.rst",
            category="Toy models",
            labels={"figure": "attacks and the certified bound"},
        ),
        png=f"{ANALYSIS}/figures/toy_attacks.png",
    log:
        f"{LOGS}/analysis/figures/toy_attacks.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_attacks.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_attacks"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule toy_controls_figure:
    input:
        table=f"{ANALYSIS}/tables/toy.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_controls.svg",
            caption="../report/toy_controls_figure.rst",
            category="Toy models",
            labels={"figure": "controls: shrunk weights, one common density"},
        ),
        png=f"{ANALYSIS}/figures/toy_controls.png",
    log:
        f"{LOGS}/analysis/figures/toy_controls.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_controls.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_controls"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule toy_elhage_figure:
    input:
        table=f"{ANALYSIS}/tables/toy.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_elhage.svg",
            caption="../report/toy_elhage_figure.rst",
            category="Toy models",
            labels={"figure": "features per dimension and vulnerability"},
        ),
        png=f"{ANALYSIS}/figures/toy_elhage.png",
    log:
        f"{LOGS}/analysis/figures/toy_elhage.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_elhage.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_elhage"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule toy_geometry_figure:
    input:
        pairs=f"{TOY}/geometry.parquet",
        example=f"{TOY}/geometry.example.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_geometry.svg",
            caption="../report/toy_geometry_figure.rst",
            category="Toy models",
            labels={"figure": "an attack on the graph of features"},
        ),
        png=f"{ANALYSIS}/figures/toy_geometry.png",
    log:
        f"{LOGS}/analysis/figures/toy_geometry.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_geometry.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_geometry"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.pairs} {input.example} > {log} 2>&1"


rule toy_interference_figure:
    input:
        pairs=f"{TOY}/geometry.parquet",
        example=f"{TOY}/geometry.example.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_interference.svg",
            caption="../report/toy_interference_figure.rst",
            category="Toy models",
            labels={"figure": "overlaps of features"},
        ),
        png=f"{ANALYSIS}/figures/toy_interference.png",
    log:
        f"{LOGS}/analysis/figures/toy_interference.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_interference.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_interference"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.pairs} {input.example} > {log} 2>&1"


rule toy_densities_figure:
    input:
        pairs=f"{TOY}/geometry.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/toy_densities.svg",
            caption="../report/toy_densities_figure.rst",
            category="Toy models",
            labels={"figure": "graphs of features against density"},
        ),
        png=f"{ANALYSIS}/figures/toy_densities.png",
    log:
        f"{LOGS}/analysis/figures/toy_densities.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/toy_densities.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("toy_densities"),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.pairs} > {log} 2>&1"


rule accuracy_figure:
    input:
        table=f"{ANALYSIS}/tables/accuracy.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/{{architecture}}/accuracy.svg",
            caption="../report/accuracy_figure.rst",
            category="Networks",
            labels={
                "architecture": "{architecture}",
                "figure": "accuracy under attack",
            },
        ),
        png=f"{ANALYSIS}/figures/{{architecture}}/accuracy.png",
    log:
        f"{LOGS}/analysis/figures/{{architecture}}/accuracy.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/{{architecture}}/accuracy.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure(
            "accuracy", architecture=wildcards.architecture
        ),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule fvu_figure:
    input:
        table=f"{ANALYSIS}/tables/saes.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/{{architecture}}/fvu/{{layer}}.svg",
            caption="../report/fvu_figure.rst",
            category="Reconstruction against sparsity",
            labels={"architecture": "{architecture}", "layer": "{layer}"},
        ),
        png=f"{ANALYSIS}/figures/{{architecture}}/fvu/{{layer}}.png",
    log:
        f"{LOGS}/analysis/figures/{{architecture}}/fvu/{{layer}}.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/{{architecture}}/fvu/{{layer}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure(
            "fvu", layer=wildcards.layer, architecture=wildcards.architecture
        ),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule splice_figure:
    input:
        table=f"{ANALYSIS}/tables/splice.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/{{architecture}}/splice.svg",
            caption="../report/splice_figure.rst",
            category="Reconstruction against sparsity",
            labels={
                "architecture": "{architecture}",
                "layer": "all, spliced into the network",
            },
        ),
        png=f"{ANALYSIS}/figures/{{architecture}}/splice.png",
    log:
        f"{LOGS}/analysis/figures/{{architecture}}/splice.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/{{architecture}}/splice.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure(
            "splice", architecture=wildcards.architecture
        ),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule matched_figure:
    input:
        table=f"{ANALYSIS}/tables/matched.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/{{architecture}}/matched/{{type}}.svg",
            caption="../report/matched_figure.rst",
            category="Reconstruction at equal sparsity",
            labels={"architecture": "{architecture}", "SAE type": "{type}"},
        ),
        png=f"{ANALYSIS}/figures/{{architecture}}/matched/{{type}}.png",
    log:
        f"{LOGS}/analysis/figures/{{architecture}}/matched/{{type}}.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/{{architecture}}/matched/{{type}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure(
            "matched", type=wildcards.type, architecture=wildcards.architecture
        ),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule baselines_figure:
    input:
        table=f"{ANALYSIS}/tables/baselines.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/{{architecture}}/baselines.svg",
            caption="../report/baselines_figure.rst",
            category="Reconstruction at equal sparsity",
            labels={"architecture": "{architecture}", "figure": "beside baselines"},
        ),
        png=f"{ANALYSIS}/figures/{{architecture}}/baselines.png",
    log:
        f"{LOGS}/analysis/figures/{{architecture}}/baselines.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/{{architecture}}/baselines.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure(
            "baselines", architecture=wildcards.architecture
        ),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"


rule l0_figure:
    input:
        table=f"{ANALYSIS}/tables/l0.parquet",
    output:
        svg=report(
            f"{ANALYSIS}/figures/l0/{{model}}.svg",
            caption="../report/l0_figure.rst",
            category="L0 under attack",
            labels=training,
        ),
        png=f"{ANALYSIS}/figures/l0/{{model}}.png",
    log:
        f"{LOGS}/analysis/figures/l0/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/analysis/figures/l0/{{model}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(10),
    params:
        spec=lambda wildcards: specs.figure("l0", model=wildcards.model),
    shell:
        "interference analysis figure --spec {params.spec:q} --output {output.svg}"
        " {input.table} > {log} 2>&1"
