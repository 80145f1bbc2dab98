rule trunk:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        manifest=f"{MODELS}/trunk-s{{seed}}.json",
        weights=f"{MODELS}/trunk-s{{seed}}.safetensors",
        log=f"{MODELS}/trunk-s{{seed}}.parquet",
    log:
        f"{LOGS}/models/trunk/trunk-s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/models/trunk/trunk-s{{seed}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.trunk(int(wildcards.seed)),
        launcher=launcher,
    shell:
        "{params.launcher} interference models trunk --spec {params.spec:q} --data {input.data}"
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
    log:
        f"{LOGS}/models/finetune/{{trained}}.log",
    benchmark:
        f"{BENCHMARKS}/models/finetune/{{trained}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.finetune(wildcards.trained),
        launcher=launcher,
    shell:
        "{params.launcher} interference models finetune --spec {params.spec:q} --data {input.data}"
        " --trunk {input.trunk} --output {output.manifest} > {log} 2>&1"


rule convert:
    output:
        manifest=f"{MODELS}/{{converted}}.json",
        weights=f"{MODELS}/{{converted}}.safetensors",
    log:
        f"{LOGS}/models/convert/{{converted}}.log",
    benchmark:
        f"{BENCHMARKS}/models/convert/{{converted}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.convert(wildcards.converted),
    shell:
        "interference models convert --spec {params.spec:q} --output {output.manifest}"
        " > {log} 2>&1"


rule predict:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
    output:
        table=f"{MODELS}/{{model}}.predictions.parquet",
    log:
        f"{LOGS}/models/predict/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/models/predict/{{model}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.predict(wildcards.model),
    shell:
        "interference models predict --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.table} > {log} 2>&1"
