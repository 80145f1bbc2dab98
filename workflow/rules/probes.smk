# One job per layer: another layer, or another SAE type, measures what is new and nothing else.
rule measure:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors"),
        heldout=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
        attacks=[f"{ATTACKS}/{{model}}/{attack}.json" for attack in specs.probed],
        attacked=[
            ancient(f"{ATTACKS}/{{model}}/{attack}.zarr") for attack in specs.probed
        ],
        saes=[f"{SAES}/{{model}}/{{layer}}/{name}.json" for name in specs.sae_types],
        dictionaries=[
            ancient(f"{SAES}/{{model}}/{{layer}}/{name}.safetensors")
            for name in specs.sae_types
        ],
    output:
        l0=f"{PROBES}/{{model}}/{{layer}}/l0.parquet",
        splice=f"{PROBES}/{{model}}/{{layer}}/splice.parquet",
        moved=f"{PROBES}/{{model}}/{{layer}}/moved.parquet",
    log:
        f"{LOGS}/probes/measure/{{model}}/{{layer}}.log",
    benchmark:
        f"{BENCHMARKS}/probes/measure/{{model}}/{{layer}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.measure(wildcards.model, wildcards.layer),
    shell:
        "interference probes measure --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --rows {input.rows} --attacks {input.attacks}"
        " --saes {input.saes} --output {output.l0} > {log} 2>&1"


rule intervene:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        attack=f"{ATTACKS}/{{model}}/{specs.headline}.json",
        attacked=ancient(f"{ATTACKS}/{{model}}/{specs.headline}.zarr"),
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors"),
        heldout=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
        saes=[f"{SAES}/{{model}}/{{layer}}/{name}.json" for name in specs.sae_types],
        dictionaries=[
            ancient(f"{SAES}/{{model}}/{{layer}}/{name}.safetensors")
            for name in specs.sae_types
        ],
        next_rows=of_next(f"{ACTIVATIONS}/{{folder}}/rows.json"),
        next_statistics=ancient(of_next(f"{ACTIVATIONS}/{{folder}}/rows.safetensors")),
        next_heldout=ancient(of_next(f"{ACTIVATIONS}/{{folder}}/rows.heldout.zarr")),
        next_saes=of_next(f"{SAES}/{{folder}}/{{type}}.json"),
        next_dictionaries=ancient(of_next(f"{SAES}/{{folder}}/{{type}}.safetensors")),
    output:
        outcomes=f"{PROBES}/{{model}}/{{layer}}/interventions.parquet",
    log:
        f"{LOGS}/probes/intervene/{{model}}/{{layer}}.log",
    benchmark:
        f"{BENCHMARKS}/probes/intervene/{{model}}/{{layer}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.intervene(wildcards.model, wildcards.layer),
    shell:
        "interference probes intervene --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --rows {input.rows} --attack {input.attack}"
        " --saes {input.saes} --next_rows {input.next_rows} --next_saes {input.next_saes}"
        " --output {output.outcomes} > {log} 2>&1"


# One job for all layers: its start costs more than one layer's work.
rule defend:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        attack=f"{ATTACKS}/{{model}}/{specs.headline}.json",
        attacked=ancient(f"{ATTACKS}/{{model}}/{specs.headline}.zarr"),
        rows=of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json"),
        statistics=ancient(
            of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors")
        ),
        train=ancient(of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr")),
        heldout=ancient(
            of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr")
        ),
        saes=of_layers(f"{SAES}/{{model}}/{{layer}}/{{peer}}.json"),
        dictionaries=ancient(
            of_layers(f"{SAES}/{{model}}/{{layer}}/{{peer}}.safetensors")
        ),
    output:
        outcomes=f"{PROBES}/{{model}}/defences.parquet",
    log:
        f"{LOGS}/probes/defend/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/probes/defend/{{model}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        spec=lambda wildcards: specs.defend(wildcards.model),
    shell:
        "interference probes defend --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --attack {input.attack} --rows {input.rows}"
        " --saes {input.saes} --output {output.outcomes} > {log} 2>&1"


# One job per model: all layers take less than a job's start.
rule gallery:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        attack=f"{ATTACKS}/{{model}}/{specs.headline}.json",
        attacked=ancient(f"{ATTACKS}/{{model}}/{specs.headline}.zarr"),
        noise=f"{ATTACKS}/{{model}}/{specs.noise}.json",
        noisy=ancient(f"{ATTACKS}/{{model}}/{specs.noise}.zarr"),
        rows=of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json"),
        statistics=ancient(
            of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors")
        ),
        heldout=ancient(
            of_layers(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr")
        ),
        saes=of_layers(f"{SAES}/{{model}}/{{layer}}/{{peer}}.json"),
        dictionaries=ancient(
            of_layers(f"{SAES}/{{model}}/{{layer}}/{{peer}}.safetensors")
        ),
    output:
        manifest=f"{PROBES}/{{model}}/gallery.json",
        table=f"{PROBES}/{{model}}/gallery.parquet",
        pictures=f"{PROBES}/{{model}}/gallery.safetensors",
    log:
        f"{LOGS}/probes/gallery/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/probes/gallery/{{model}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.gallery(wildcards.model),
    shell:
        "interference probes gallery --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --attack {input.attack} --noise {input.noise}"
        " --rows {input.rows} --saes {input.saes} --output {output.manifest} > {log} 2>&1"
