rule craft:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        source=made_of(".json"),
        source_images=ancient(made_of(".zarr")),
    output:
        manifest=f"{ATTACKS}/{{model}}/{{attack}}.json",
        table=f"{ATTACKS}/{{model}}/{{attack}}.parquet",
        images=directory(f"{ATTACKS}/{{model}}/{{attack}}.zarr"),
    log:
        f"{LOGS}/attacks/craft/{{model}}/{{attack}}.log",
    benchmark:
        f"{BENCHMARKS}/attacks/craft/{{model}}/{{attack}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.craft(wildcards.model, wildcards.attack),
    shell:
        "interference attacks craft --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --source {input.source} --output {output.manifest}"
        " > {log} 2>&1"


rule least:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        predictions=f"{MODELS}/{{model}}.predictions.parquet",
    output:
        radii=f"{ATTACKS}/{{model}}.least.parquet",
    log:
        f"{LOGS}/attacks/least/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/attacks/least/{{model}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.least(wildcards.model),
    shell:
        "interference attacks least --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --predictions {input.predictions}"
        " --output {output.radii} > {log} 2>&1"


rule structure:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        attack=f"{ATTACKS}/{{model}}/{specs.headline}.json",
        attacked=ancient(f"{ATTACKS}/{{model}}/{specs.headline}.zarr"),
    output:
        structure=f"{ATTACKS}/{{model}}.structure.parquet",
    log:
        f"{LOGS}/attacks/structure/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/attacks/structure/{{model}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: specs.structure(wildcards.model),
    shell:
        "interference attacks structure --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --attack {input.attack}"
        " --output {output.structure} > {log} 2>&1"


rule exchange:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        models=each("models/{model}.json"),
        weights=ancient(each("models/{model}.safetensors")),
        attacks=each(f"attacks/{{model}}/{specs.headline}.json"),
        attacked=ancient(each(f"attacks/{{model}}/{specs.headline}.zarr")),
    output:
        passes=f"{ATTACKS}/exchange.parquet",
        similarity=f"{ATTACKS}/exchange.similarity.parquet",
    log:
        f"{LOGS}/attacks/exchange/networks.log",
    benchmark:
        f"{BENCHMARKS}/attacks/exchange/networks.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.exchange(),
    shell:
        "interference attacks exchange --spec {params.spec:q} --data {input.data}"
        " --models {input.models} --attacks {input.attacks}"
        " --output {output.passes} > {log} 2>&1"
