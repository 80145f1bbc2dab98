rule trunk:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        manifest=f"{MODELS}/trunk-s{{seed}}.json",
        weights=f"{MODELS}/trunk-s{{seed}}.safetensors",
        log=f"{MODELS}/trunk-s{{seed}}.parquet",
    log:
        f"{LOGS}/models/trunk-s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/models/trunk-s{{seed}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.trunk(int(wildcards.seed)),
        launcher=launcher,
    shell:
        "{params.launcher} interference models train --spec {params.spec:q} --data {input.data}"
        " --output {output.manifest} > {log} 2>&1"


rule finetune:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        trunk=lambda wildcards: f"{MODELS}/trunk-s{specs.models[wildcards.trained].seed}.json",
        weights=lambda wildcards: ancient(
            f"{MODELS}/trunk-s{specs.models[wildcards.trained].seed}.safetensors"
        ),
    output:
        manifest=f"{MODELS}/{{trained}}.json",
        weights=f"{MODELS}/{{trained}}.safetensors",
        log=f"{MODELS}/{{trained}}.parquet",
        clean=f"{MODELS}/{{trained}}.clean.parquet",
    log:
        f"{LOGS}/models/{{trained}}.log",
    benchmark:
        f"{BENCHMARKS}/models/{{trained}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.finetune(wildcards.trained),
        launcher=launcher,
    shell:
        "{params.launcher} interference models train --spec {params.spec:q} --data {input.data}"
        " --trunk {input.trunk} --output {output.manifest} > {log} 2>&1"


rule checkpoint:
    output:
        manifest=f"{MODELS}/{{converted}}.json",
        weights=f"{MODELS}/{{converted}}.safetensors",
    log:
        f"{LOGS}/models/{{converted}}.log",
    benchmark:
        f"{BENCHMARKS}/models/{{converted}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.checkpoint(wildcards.converted),
    shell:
        "interference models convert --spec {params.spec:q} --output {output.manifest}"
        " > {log} 2>&1"


rule predictions:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{converted}}.json",
        weights=ancient(f"{MODELS}/{{converted}}.safetensors"),
    output:
        table=f"{MODELS}/{{converted}}.clean.parquet",
    log:
        f"{LOGS}/models/{{converted}}.clean.log",
    benchmark:
        f"{BENCHMARKS}/models/{{converted}}.clean.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.predictions(wildcards.converted),
    shell:
        "interference models predict --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.table} > {log} 2>&1"
