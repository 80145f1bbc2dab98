# The page that people read. Snakemake's own report, `snakemake --report`, has captions of figures and
# tables beside this one.
report: "../report/workflow.rst"


rule page:
    input:
        **inputs(PAGE),
    output:
        page=f"{REPORT}/page.html",
        config=f"{REPORT}/config.yaml",
    log:
        f"{LOGS}/report/page/page.log",
    benchmark:
        f"{BENCHMARKS}/report/page/page.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        spec=lambda wildcards: specs.page(),
        inputs=by_name,
    shell:
        "interference report page --spec {params.spec:q}"
        " --output {output.page} {params.inputs} > {log} 2>&1"
