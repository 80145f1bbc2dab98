rule saes:
    input:
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        train=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr"),
        heldout=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
    output:
        manifest=f"{SAES}/{{model}}/{{layer}}/{{type}}.json",
        table=f"{SAES}/{{model}}/{{layer}}/{{type}}.parquet",
        weights=f"{SAES}/{{model}}/{{layer}}/{{type}}.safetensors",
    log:
        f"{LOGS}/saes/{{model}}/{{layer}}/{{type}}.log",
    benchmark:
        f"{BENCHMARKS}/saes/{{model}}/{{layer}}/{{type}}.tsv"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        spec=lambda wildcards: specs.saes(
            wildcards.model, wildcards.layer, wildcards.type
        ),
    shell:
        "interference saes fit --spec {params.spec:q} --rows {input.rows}"
        " --output {output.manifest} > {log} 2>&1"
