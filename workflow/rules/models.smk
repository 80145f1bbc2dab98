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
        trunk=lambda wildcards: f"{MODELS}/trunk-s{specs.models[wildcards.model].seed}.json",
        weights=lambda wildcards: ancient(
            f"{MODELS}/trunk-s{specs.models[wildcards.model].seed}.safetensors"
        ),
    output:
        manifest=f"{MODELS}/{{model}}.json",
        weights=f"{MODELS}/{{model}}.safetensors",
        log=f"{MODELS}/{{model}}.parquet",
        clean=f"{MODELS}/{{model}}.clean.parquet",
    log:
        f"{LOGS}/models/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/models/{{model}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.finetune(wildcards.model),
        launcher=launcher,
    shell:
        "{params.launcher} interference models train --spec {params.spec:q} --data {input.data}"
        " --trunk {input.trunk} --output {output.manifest} > {log} 2>&1"
