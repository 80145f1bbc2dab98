rule activations:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
    output:
        manifest=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors",
        train=directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.train.zarr"),
        heldout=directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.heldout.zarr"),
    log:
        f"{LOGS}/activations/{{model}}/{{layer}}/rows.log",
    benchmark:
        f"{BENCHMARKS}/activations/{{model}}/{{layer}}/rows.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        spec=lambda wildcards: specs.activations(wildcards.model, wildcards.layer),
    shell:
        "interference activations extract --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --output {output.manifest} > {log} 2>&1"


rule attacked_activations:
    input:
        data=f"{DATA}/images.json",
        images=ancient(f"{DATA}/images.zarr"),
        model=f"{MODELS}/{{model}}.json",
        weights=ancient(f"{MODELS}/{{model}}.safetensors"),
        rows=f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.json",
        statistics=ancient(f"{ACTIVATIONS}/{{model}}/{{layer}}/rows.safetensors"),
        attacks=[f"{ATTACKS}/{{model}}/{attack}.json" for attack in specs.attacks],
        attacked=[
            ancient(f"{ATTACKS}/{{model}}/{attack}.zarr") for attack in specs.attacks
        ],
    output:
        manifest=f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.json",
        store=directory(f"{ACTIVATIONS}/{{model}}/{{layer}}/attacked.zarr"),
    log:
        f"{LOGS}/activations/{{model}}/{{layer}}/attacked.log",
    benchmark:
        f"{BENCHMARKS}/activations/{{model}}/{{layer}}/attacked.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        spec=lambda wildcards: specs.attacked_activations(
            wildcards.model, wildcards.layer
        ),
    shell:
        "interference activations attacked --spec {params.spec:q} --data {input.data}"
        " --model {input.model} --rows {input.rows} --output {output.manifest}"
        " {input.attacks} > {log} 2>&1"
