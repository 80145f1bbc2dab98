"""The HTML around every page of the report: one file, with its styles, scripts and data inside.

A page opens from disk and asks nothing of a network; its policy forbids it to. The same inputs give
the same bytes. Whatever is put into a template is text: Jinja escapes it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from interference.report.charts.base import variables

#: What of the bundle the page's own script uses.
SNIPPET = "window.vegaEmbed = vegaEmbed;"
TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: Any) -> str:
    """A page of a template that extends ``shell.html``.

    context: what the template shows; ``spec``, the job's canonical spec, which the page carries, and
    ``title``. Raises jinja2.UndefinedError where the template shows what is not given.
    """
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(asset=asset, bundle=bundle, palette=palette)
    environment.filters["number"] = number
    return environment


def asset(name: str) -> Markup:
    """A style sheet or script of the templates' folder, as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@cache
def bundle() -> Markup:
    """The JavaScript of Vega, Vega-Lite and vega-embed, as vl-convert ships it."""
    return Markup(vl_convert.javascript_bundle(SNIPPET))


def palette(ground: str) -> Markup:
    """Declarations of all colours on ``light`` or ``dark`` ground."""
    place = ("light", "dark").index(ground)
    return Markup(" ".join(f"--{name}: {values[place]};" for name, values in variables().items()))


def number(value: float) -> str:
    """A number as a page has it: four digits, a true minus; a dash where there is none."""
    if value != value:
        return "–"
    return f"{value:.4g}".replace("-", "−")
