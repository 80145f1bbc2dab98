# Only where the config shares a layer's pass over the training images among jobs; each writes a store
# of its own, which goes once the layer's rows are made.
rule activations_part:
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
        f"{LOGS}/activations/{{model}}/{{layer}}/parts/{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/activations/{{model}}/{{layer}}/parts/{{part}}.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.activations_part(
            wildcards.model, wildcards.layer, int(wildcards.part)
        ),
    shell:
        "interference activations part --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.manifest} > {log} 2>&1"


rule activations:
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
        f"{LOGS}/activations/{{model}}/{{layer}}/rows.log",
    benchmark:
        f"{BENCHMARKS}/activations/{{model}}/{{layer}}/rows.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.activations(wildcards.model, wildcards.layer),
    shell:
        "interference activations extract --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.manifest} {input.parts} > {log} 2>&1"


# One job a model, not one a layer: the images go through the network once. Another layer then runs
# it anew, which is cheap, as is what follows; rows stay one job a layer, since SAEs are fitted to them.
rule attacked_activations:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        rows=layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json"),
        statistics=ancient(
            layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors")
        ),
        attacks=[f"{ATTACKS}/{{model}}/{attack}.json" for attack in specs.attacks],
        attacked=[
            ancient(f"{ATTACKS}/{{model}}/{attack}.zarr") for attack in specs.attacks
        ],
    output:
        manifests=layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.json"),
        stores=kept(
            directory(
                layers_in_model(f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.zarr")
            )
        ),
    log:
        f"{LOGS}/activations/{{model}}/attacked.log",
    benchmark:
        f"{BENCHMARKS}/activations/{{model}}/attacked.tsv"
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: specs.attacked_activations(wildcards.model),
    shell:
        "interference activations attacked --spec {params.spec:q} --data {input.data}"
        f" --model {{input.model}} --folder {ACTIVATIONS}/{{wildcards.model}}"
        " {input.attacks} > {log} 2>&1"
