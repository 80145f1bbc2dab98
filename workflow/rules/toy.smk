rule train:
    output:
        manifest=f"{TOY}/models.json",
        weights=f"{TOY}/models.safetensors",
    log:
        f"{LOGS}/toy/train/models.log",
    benchmark:
        f"{BENCHMARKS}/toy/train/models.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.train(),
    shell:
        "interference toy train --spec {params.spec:q} --output {output.manifest} > {log} 2>&1"


rule vulnerability:
    input:
        models=f"{TOY}/models.json",
        weights=ancient(f"{TOY}/models.safetensors"),
    output:
        table=f"{TOY}/vulnerability.parquet",
    log:
        f"{LOGS}/toy/vulnerability/vulnerability.log",
    benchmark:
        f"{BENCHMARKS}/toy/vulnerability/vulnerability.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.vulnerability(),
    shell:
        "interference toy vulnerability --spec {params.spec:q} --models {input.models}"
        " --output {output.table} > {log} 2>&1"


rule geometry:
    input:
        models=f"{TOY}/models.json",
        weights=ancient(f"{TOY}/models.safetensors"),
    output:
        pairs=f"{TOY}/geometry.parquet",
        example=f"{TOY}/geometry.example.parquet",
    log:
        f"{LOGS}/toy/geometry/geometry.log",
    benchmark:
        f"{BENCHMARKS}/toy/geometry/geometry.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.geometry(),
    shell:
        "interference toy geometry --spec {params.spec:q} --models {input.models}"
        " --output {output.pairs} > {log} 2>&1"
