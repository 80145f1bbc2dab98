rule classify:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        manifest=f"{RIVALS}/classifiers-s{{trial}}.json",
        weights=f"{RIVALS}/classifiers-s{{trial}}.safetensors",
    log:
        f"{LOGS}/rivals/classify/s{{trial}}.log",
    benchmark:
        f"{BENCHMARKS}/rivals/classify/s{{trial}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.classify(int(wildcards.trial)),
    shell:
        "interference rivals classify --spec {params.spec:q} --data {input.data}"
        " --output {output.manifest} > {log} 2>&1"


rule aim:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        classifiers=each("rivals/classifiers-s{trial}.json"),
        weights=ancient(each("rivals/classifiers-s{trial}.safetensors")),
    output:
        aims=f"{RIVALS}/aims.parquet",
        landings=f"{RIVALS}/aims.landings.parquet",
        passes=f"{RIVALS}/aims.passes.parquet",
    log:
        f"{LOGS}/rivals/aim/all.log",
    benchmark:
        f"{BENCHMARKS}/rivals/aim/all.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.aim(),
    shell:
        "interference rivals aim --spec {params.spec:q} --data {input.data}"
        " --classifiers {input.classifiers} --output {output.aims} > {log} 2>&1"


rule count:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        counts=f"{RIVALS}/counts-s{{trial}}.parquet",
        meanings=f"{RIVALS}/counts-s{{trial}}.meanings.parquet",
        mlps=f"{RIVALS}/counts-s{{trial}}.mlps.json",
        weights=f"{RIVALS}/counts-s{{trial}}.mlps.safetensors",
    log:
        f"{LOGS}/rivals/count/s{{trial}}.log",
    benchmark:
        f"{BENCHMARKS}/rivals/count/s{{trial}}.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.count(int(wildcards.trial)),
    shell:
        "interference rivals count --spec {params.spec:q} --data {input.data}"
        " --output {output.counts} > {log} 2>&1"


rule overlap:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        mlps=each("rivals/counts-s{trial}.mlps.json"),
        weights=ancient(each("rivals/counts-s{trial}.mlps.safetensors")),
    output:
        overlaps=f"{RIVALS}/overlaps.parquet",
    log:
        f"{LOGS}/rivals/overlap/all.log",
    benchmark:
        f"{BENCHMARKS}/rivals/overlap/all.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.overlap(),
    shell:
        "interference rivals overlap --spec {params.spec:q} --data {input.data}"
        " --mlps {input.mlps} --output {output.overlaps} > {log} 2>&1"


rule relearn:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
    output:
        relearned=f"{RIVALS}/relearned-s{{trial}}.parquet",
    log:
        f"{LOGS}/rivals/relearn/s{{trial}}.log",
    benchmark:
        f"{BENCHMARKS}/rivals/relearn/s{{trial}}.tsv"
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.relearn(int(wildcards.trial)),
    shell:
        "interference rivals relearn --spec {params.spec:q} --data {input.data}"
        " --output {output.relearned} > {log} 2>&1"
