rule fit:
    input:
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        train=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr"),
        heldout=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
    output:
        manifest=f"{SAES}/{{model}}/{{layer}}/{{type}}.json",
        table=f"{SAES}/{{model}}/{{layer}}/{{type}}.parquet",
        weights=f"{SAES}/{{model}}/{{layer}}/{{type}}.safetensors",
    log:
        f"{LOGS}/saes/fit/{{model}}/{{layer}}/{{type}}.log",
    benchmark:
        f"{BENCHMARKS}/saes/fit/{{model}}/{{layer}}/{{type}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.fit(
            wildcards.model, wildcards.layer, wildcards.type
        ),
    shell:
        "interference saes fit --spec {params.spec:q} --rows {input.rows}"
        " --output {output.manifest} > {log} 2>&1"


rule baselines:
    input:
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors"),
        train=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr"),
        heldout=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
    output:
        manifest=f"{SAES}/{{model}}/{{layer}}/baselines.json",
        table=f"{SAES}/{{model}}/{{layer}}/baselines.parquet",
    log:
        f"{LOGS}/saes/baselines/{{model}}/{{layer}}.log",
    benchmark:
        f"{BENCHMARKS}/saes/baselines/{{model}}/{{layer}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.baselines(wildcards.model, wildcards.layer),
    shell:
        "interference saes baselines --spec {params.spec:q} --rows {input.rows}"
        " --output {output.manifest} > {log} 2>&1"
