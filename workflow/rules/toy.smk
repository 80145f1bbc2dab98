rule toy_models:
    output:
        manifest=f"{TOY}/models.json",
        weights=f"{TOY}/models.safetensors",
    log:
        f"{LOGS}/toy/models.log",
    benchmark:
        f"{BENCHMARKS}/toy/models.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.toy_models(),
    shell:
        "interference toy train --spec {params.spec:q} --output {output.manifest} > {log} 2>&1"


rule toy_vulnerability:
    input:
        models=f"{TOY}/models.json",
        weights=ancient(f"{TOY}/models.safetensors"),
    output:
        table=f"{TOY}/vulnerability.parquet",
    log:
        f"{LOGS}/toy/vulnerability.log",
    benchmark:
        f"{BENCHMARKS}/toy/vulnerability.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.toy_vulnerability(),
    shell:
        "interference toy evaluate --spec {params.spec:q} --models {input.models}"
        " --output {output.table} > {log} 2>&1"


rule toy_geometry:
    input:
        models=f"{TOY}/models.json",
        weights=ancient(f"{TOY}/models.safetensors"),
    output:
        pairs=f"{TOY}/geometry.parquet",
        example=f"{TOY}/geometry.example.parquet",
    log:
        f"{LOGS}/toy/geometry.log",
    benchmark:
        f"{BENCHMARKS}/toy/geometry.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.toy_geometry(),
    shell:
        "interference toy geometry --spec {params.spec:q} --models {input.models}"
        " --output {output.pairs} > {log} 2>&1"
