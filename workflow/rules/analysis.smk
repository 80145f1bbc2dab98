# Tables and figures are those of interference.config.catalogue.


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


for table in TABLES:

    rule:
        name:
            table.rule
        input:
            **inputs(table),
        output:
            table=report(
                f"{ANALYSIS}/{table.path}.csv",
                caption=f"../report/{table.rule}.rst",
                category="Tables",
                labels={"table": table.name},
            ),
            parquet=f"{ANALYSIS}/{table.path}.parquet",
        log:
            f"{LOGS}/analysis/{table.path}.log",
        benchmark:
            f"{BENCHMARKS}/analysis/{table.path}.tsv"
        resources:
            mem_mb=scaled(2000),
            runtime=scaled(30),
        params:
            spec=spec_of_table(table),
            inputs=by_name,
        shell:
            "interference analysis table --spec {params.spec:q}"
            " --output {output.parquet} {params.inputs} > {log} 2>&1"


for figure in FIGURES:

    rule:
        name:
            figure.rule
        input:
            **inputs(figure),
        output:
            svg=report(
                f"{ANALYSIS}/{figure.path}.svg",
                caption=f"../report/{figure.rule}.rst",
                category=figure.category,
                labels=figure.labels or training,
            ),
            png=f"{ANALYSIS}/{figure.path}.png",
        log:
            f"{LOGS}/analysis/{figure.path}.log",
        benchmark:
            f"{BENCHMARKS}/analysis/{figure.path}.tsv"
        resources:
            mem_mb=scaled(2000),
            runtime=scaled(10),
        params:
            spec=spec_of_figure(figure),
            inputs=by_name,
        shell:
            "interference analysis figure --spec {params.spec:q}"
            " --output {output.svg} {params.inputs} > {log} 2>&1"
