rule images:
    output:
        manifest=f"{DATA}/images.json",
        labels=f"{DATA}/images.parquet",
        images=directory(f"{DATA}/images.zarr"),
        # pictures that cannot be read and what else is not taken, and why
        skipped=[f"{DATA}/images.skipped.csv"] * specs.pictures,
    log:
        f"{LOGS}/data/images/images.log",
    benchmark:
        f"{BENCHMARKS}/data/images/images.tsv"
    threads: decoders
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.images(),
        workers=workers,
    shell:
        "interference data images --spec {params.spec:q} --output {output.manifest}"
        " --workers {params.workers} > {log} 2>&1"
