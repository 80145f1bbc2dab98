# Only where the config shares a layer's pass over the training images among jobs; each writes a store
# of its own, which goes once the layer's rows are made.
rule part:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
    output:
        manifest=f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{{part}}.json",
        raw=temp(directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{{part}}.zarr")),
        sums=f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{{part}}.safetensors",
    log:
        f"{LOGS}/activations/part/{{model}}/{{layer}}/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/activations/part/{{model}}/{{layer}}/{{part}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.part(
            wildcards.model, wildcards.layer, int(wildcards.part)
        ),
    shell:
        "interference activations part --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.manifest} > {log} 2>&1"


rule extract:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        parts=[
            f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{part}.json"
            for part in specs.parts
        ],
        raw=[
            ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{part}.zarr")
            for part in specs.parts
        ],
        sums=[
            ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/parts/{part}.safetensors")
            for part in specs.parts
        ],
    output:
        manifest=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors",
        train=kept(directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr")),
        heldout=kept(directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr")),
    log:
        f"{LOGS}/activations/extract/{{model}}/{{layer}}.log",
    benchmark:
        f"{BENCHMARKS}/activations/extract/{{model}}/{{layer}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.extract(wildcards.model, wildcards.layer),
    shell:
        "interference activations extract --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --parts {input.parts} --output {output.manifest} > {log} 2>&1"
