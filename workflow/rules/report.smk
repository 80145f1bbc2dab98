# The page that `snakemake --report` builds; captions of figures and tables lie beside it.
report: "../report/workflow.rst"
