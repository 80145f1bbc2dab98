rule learn:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        manifest=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.json",
        weights=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.safetensors",
    log:
        f"{LOGS}/canvas/learn/{{family}}-{{regime}}-s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/canvas/learn/{{family}}-{{regime}}-s{{seed}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.learn(
            wildcards.family, wildcards.regime, int(wildcards.seed)
        ),
    shell:
        "interference canvas learn --spec {params.spec:q} --data {input.data}"
        " --output {output.manifest} > {log} 2>&1"


rule flip:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        family=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.json",
        weights=ancient(f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.safetensors"),
    output:
        flips=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.flips.parquet",
        features=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.features.parquet",
        cosines=f"{CANVAS}/{{family}}-{{regime}}-s{{seed}}.cosines.parquet",
    log:
        f"{LOGS}/canvas/flip/{{family}}-{{regime}}-s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/canvas/flip/{{family}}-{{regime}}-s{{seed}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.flip(
            wildcards.family, wildcards.regime, int(wildcards.seed)
        ),
    shell:
        "interference canvas flip --spec {params.spec:q} --data {input.data}"
        " --family {input.family} --output {output.flips} > {log} 2>&1"


rule transfer:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        families=of_regime(f"{CANVAS}/{{shared}}-{{regime}}-s{{seed}}.json"),
        weights=ancient(
            of_regime(f"{CANVAS}/{{shared}}-{{regime}}-s{{seed}}.safetensors")
        ),
    output:
        transfers=f"{CANVAS}/transfer-{{regime}}.parquet",
    log:
        f"{LOGS}/canvas/transfer/{{regime}}.log",
    benchmark:
        f"{BENCHMARKS}/canvas/transfer/{{regime}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.transfer(wildcards.regime),
    shell:
        "interference canvas transfer --spec {params.spec:q} --data {input.data}"
        " --families {input.families} --output {output.transfers} > {log} 2>&1"


rule calibrate:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        families=of_regime(
            f"{CANVAS}/{{known}}-{{regime}}-s{{seed}}.json", seed="{seed}"
        ),
        weights=ancient(
            of_regime(
                f"{CANVAS}/{{known}}-{{regime}}-s{{seed}}.safetensors", seed="{seed}"
            )
        ),
    output:
        proxies=f"{CANVAS}/{{regime}}-s{{seed}}.proxies.parquet",
    log:
        f"{LOGS}/canvas/calibrate/{{regime}}-s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/canvas/calibrate/{{regime}}-s{{seed}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.calibrate(wildcards.regime, int(wildcards.seed)),
    shell:
        "interference canvas calibrate --spec {params.spec:q} --data {input.data}"
        " --families {input.families} --output {output.proxies} > {log} 2>&1"


rule mount:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
    output:
        flips=f"{CANVAS}/mounted-{{model}}-{{regime}}.flips.parquet",
        features=f"{CANVAS}/mounted-{{model}}-{{regime}}.features.parquet",
    log:
        f"{LOGS}/canvas/mount/{{model}}-{{regime}}.log",
    benchmark:
        f"{BENCHMARKS}/canvas/mount/{{model}}-{{regime}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.mount(wildcards.model, wildcards.regime),
    shell:
        "interference canvas mount --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.flips} > {log} 2>&1"
