# Tables and figures are those of interference.plan.catalogue.


for table in TABLES:

    rule:
        name:
            table.rule
        input:
            **inputs(table),
        output:
            table=report(
                f"{ANALYSIS}/{table.path}.csv",
                caption=f"../report/{table.rule}.rst",
                category="Tables",
                labels={"table": table.name},
            ),
            parquet=f"{ANALYSIS}/{table.path}.parquet",
        log:
            f"{LOGS}/analysis/{table.path}.log",
        benchmark:
            f"{BENCHMARKS}/analysis/{table.path}.tsv"
        resources:
            mem_mb=scaled(2000),
            runtime=scaled(30),
        params:
            spec=spec_of_table(table),
            inputs=by_name,
        shell:
            "interference analysis table --spec {params.spec:q}"
            " --output {output.parquet} {params.inputs} > {log} 2>&1"


for figure in FIGURES:

    rule:
        name:
            figure.rule
        input:
            **inputs(figure),
        output:
            svg=report(
                f"{ANALYSIS}/{figure.path}.svg",
                caption=f"../report/{figure.rule}.rst",
                category=figure.category,
                labels=figure.labels or training,
            ),
            png=f"{ANALYSIS}/{figure.path}.png",
        log:
            f"{LOGS}/analysis/{figure.path}.log",
        benchmark:
            f"{BENCHMARKS}/analysis/{figure.path}.tsv"
        resources:
            mem_mb=scaled(2000),
            runtime=scaled(10),
        params:
            spec=spec_of_figure(figure),
            inputs=by_name,
        shell:
            "interference analysis figure --spec {params.spec:q}"
            " --output {output.svg} {params.inputs} > {log} 2>&1"
