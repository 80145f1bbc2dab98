rule images:
    output:
        manifest=f"{DATA}/images.json",
        labels=f"{DATA}/images.parquet",
        images=directory(f"{DATA}/images.zarr"),
        # pictures that cannot be read, and why
        skipped=[f"{DATA}/images.skipped.csv"] * specs.pictures,
    log:
        f"{LOGS}/data/images.log",
    benchmark:
        f"{BENCHMARKS}/data/images.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.images(),
    shell:
        "interference data images --spec {params.spec:q} --output {output.manifest} > {log} 2>&1"
