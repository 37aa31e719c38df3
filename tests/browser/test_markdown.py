"""What a model writes, as it is read: Markdown and formulas, under the frame's own policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.model_server import Answer, ModelServer

from .frames import Shown

Opens = Callable[..., Shown]


def answered(shown: Shown, model: ModelServer, *tokens: str, gap: float = 0.0) -> Locator:
    """The answer that says this, whole."""
    model.enqueue(Answer(list(tokens), gap=gap))
    shown.ask("Tell me.")
    return shown.frame.locator("#transcript .message.mentor .prose").last


# --- formulas


@pytest.mark.parametrize(
    ("said", "display"),
    [
        (r"Energy is $E = mc^2$ here.", False),
        (r"Energy is \(E = mc^2\) here.", False),
        (r"Energy is $$E = mc^2$$ here.", True),
        ("Energy is\n$$\nE = mc^2\n$$\nhere.", True),
        ("Energy is\n\\[\nE\n= mc^2\n\\]\n", True),
        ("- Energy is $E = mc^2$", False),
        ("| a |\n|---|\n| $E = mc^2$ |", False),
        ("**Energy $E = mc^2$**", False),
    ],
)
def test_a_formula_is_drawn_in_each_of_its_marks(
    frame: Opens, model: ModelServer, said: str, display: bool
) -> None:
    formula = answered(frame(), model, said).locator("math")
    expect(formula).to_have_count(1)
    expect(formula.locator("msup")).to_have_count(1)
    assert (formula.get_attribute("display") == "block") is display


@pytest.mark.parametrize(
    "said",
    [
        "It costs $5 and $10.",
        "From $5-$10 a month, or $ 7 $ a week.",
        r"A price of \$5 is no \$formula\$.",
        "Set `$HOME` and `$x$`.",
        "```sh\necho $HOME$ $$x$$\n```",
        "An open $x + y",
        "US$5 or A$7, US$",
        "$$$$ and $$ $$",
        "$",
    ],
)
def test_money_and_code_are_no_formulas(frame: Opens, model: ModelServer, said: str) -> None:
    prose = answered(frame(), model, said)
    expect(prose.locator(".formula, math, .maths")).to_have_count(0)
    assert "$" in prose.inner_text()


@pytest.mark.parametrize(
    "wrong",
    [
        r"$\foo{$",
        r"$\frac{1}$",
        r"$\href{javascript:alert(1)}{x}\undefinedthing$",
        r"$\def\a{\a\a}\a$",
        r"$\htmlStyle{color:red}{x}$",
        "$" + "{" * 6000 + "$",
    ],
)
def test_a_formula_that_is_wrong_is_shown_as_it_was_written(
    frame: Opens, model: ModelServer, wrong: str
) -> None:
    prose = answered(frame(), model, f"Right is $x$, wrong is {wrong}.")
    expect(prose.locator("math")).to_have_count(1)
    expect(prose.locator("code.maths")).to_have_text(wrong)


def test_nothing_in_a_formula_acts(frame: Opens, model: ModelServer) -> None:
    said = (
        r"$\href{javascript:alert(1)}{a}$ $\url{https://evil.example}$ $\includegraphics{https://evil.example/x.png}$ "
        r"$\htmlData{a=b}{x}$ $\fcolorbox{red}{white}{x}$ $\pmb{x}$ $\text{<img src=x onerror=alert(1)>}$"
    )
    prose = answered(frame(), model, said)
    expect(prose.locator("math").first).to_be_attached()
    expect(prose.locator("a, img, mglyph, [href], [src], [onerror]")).to_have_count(0)


def test_until_it_is_loaded_a_formula_is_its_source_and_so_it_stays_without_a_renderer(
    page: Page, frame: Opens, model: ModelServer, complaints: list[str]
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route("**/chat/maths.js", refuse)
    shown = frame()
    answered(shown, model, "No formula, $5.")
    assert asked == []
    prose = answered(shown, model, "One: $x^2$.")
    expect(prose.locator("code.maths")).to_have_text("$x^2$")
    assert len(asked) == 1
    complaints.clear()  # the browser itself names the file that did not come


def test_a_formula_that_streams_is_text_until_it_closes_and_then_is_drawn_once(
    frame: Opens, model: ModelServer
) -> None:
    shown = frame()
    answered(shown, model, "So that the renderer is there: $x$.")
    rest = [f"word{number} " for number in range(30)]
    model.enqueue(Answer(["Mind $a", "_1 + ", "b$.\n\n", "$$\n", "c_2\n", "$$\n\n", *rest], gap=0.05))
    shown.type("Slowly.")
    prose = shown.frame.locator("#transcript .message.mentor .prose").last
    expect(prose).to_contain_text("Mind $a_1 +")
    expect(prose.locator("math")).to_have_count(2)
    prose.evaluate("(node) => node.querySelectorAll('math').forEach((math) => (math.first = true))")
    expect(shown.frame.locator("#transcript .message.mentor.complete")).to_have_count(2)
    kept = prose.evaluate("(node) => [...node.querySelectorAll('math')].map((math) => math.first)")
    assert kept == [True, True]


def test_the_page_keeps_its_policy_with_every_kind_of_formula(frame: Opens, model: ModelServer) -> None:
    said = (
        r"$$\boxed{x} \cancel{y} \fcolorbox{red}{yellow}{z} \pmb{w} \colorbox{blue}{v}$$"
        "\n\n"
        r"$$\begin{aligned} a &= b + c \\ &= d \end{aligned} \quad \begin{cases} 1 & x > 0 \\ 0 & x < 0 \end{cases}$$"
        "\n\n"
        r"$$\left(\begin{array}{c|c} 1 & 2 \\ \hline 3 & 4 \end{array}\right) \tag{1}$$"
    )
    prose = answered(frame(), model, said)
    expect(prose.locator("math")).to_have_count(3)
    expect(prose.locator("[data-style], .maths")).to_have_count(0)
    first = prose.locator("mtable").first.locator("mtd").first
    assert first.evaluate("(cell) => getComputedStyle(cell).textAlign") in ("right", "-webkit-right")
    # That the console is empty says the rest.


@pytest.mark.parametrize(
    "hostile",
    [
        "$" * 10_000,
        "$a " * 10_000,
        "$a$1" * 10_000,
        r"\(" * 10_000,
        "\\[\n" * 10_000,
        "$$ a\n" * 10_000,
        "$$\n" + "- x\n" * 10_000,
        "*a **b** " * 5_000,
        "~~a ~b " * 5_000,
        "***" * 10_000,
    ],
)
def test_a_hostile_answer_costs_no_more_than_a_long_one(
    frame: Opens, model: ModelServer, hostile: str
) -> None:
    shown = frame()
    start = time.monotonic()
    model.enqueue(Answer([hostile], together=True))
    shown.type("Go on.")
    expect(shown.frame.locator("#transcript .message.mentor.complete")).to_have_count(1)
    assert time.monotonic() - start < 8


def test_a_flood_of_formulas_leaves_the_page_in_hand(frame: Opens, model: ModelServer) -> None:
    shown = frame()
    model.enqueue(Answer([" ".join(f"$x_{{{number}}}$" for number in range(4_000))], together=True))
    shown.frame.evaluate(
        """() => {
          window.longest = 0;
          new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
          }).observe({ type: 'longtask' });
        }"""
    )
    shown.type("Many.")
    expect(shown.frame.locator("#transcript math").nth(3_999)).to_be_attached(timeout=60_000)
    assert shown.frame.evaluate("() => longest") < 2_500


# --- Markdown


def test_a_list_of_tasks_says_what_is_done(frame: Opens, model: ModelServer) -> None:
    prose = answered(frame(), model, "- [x] Read\n- [ ] Write **well**\n- [y] neither")
    boxes = prose.get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    expect(prose.get_by_label("Done", exact=True)).to_be_checked()
    expect(prose.get_by_label("To do")).to_be_disabled()
    expect(prose.locator("li").last).to_have_text("[y] neither")


def test_emphasis_may_stand_in_emphasis(frame: Opens, model: ModelServer) -> None:
    said = "**bold *and* em** *em **and** bold* ***both*** ~~gone *too*~~ **end *in em***"
    prose = answered(frame(), model, said)
    assert prose.locator("p").evaluate("(p) => p.innerHTML") == (
        "<strong>bold <em>and</em> em</strong> <em>em <strong>and</strong> bold</em> "
        "<strong><em>both</em></strong> <del>gone <em>too</em></del> <strong>end <em>in em</em></strong>"
    )


def test_a_tables_columns_stand_where_it_says(frame: Opens, model: ModelServer) -> None:
    prose = answered(frame(), model, "| a | b | c |\n|:--|:-:|--:|\n| 1 | `x\\|y` | 3 |")
    aligned = "(cell) => getComputedStyle(cell).textAlign"
    assert [cell.evaluate(aligned) for cell in prose.locator("td").all()] == ["start", "center", "end"]
    expect(prose.locator("td code")).to_have_text("x|y")


def test_code_names_its_language_and_is_copied(page: Page, frame: Opens, model: ModelServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    prose = answered(frame(), model, "```python\nprint('<b>')\n```")
    expect(prose.locator(".code-bar")).to_contain_text("python")
    prose.get_by_role("button", name="Copy the code").click()
    expect(prose.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "print('<b>')"


def test_code_that_grows_keeps_its_nodes(frame: Opens, model: ModelServer) -> None:
    shown = frame()
    model.enqueue(Answer(["```py\n", "a = 1\n", *[f"b{n}\n" for n in range(20)], "```\nEnd"], gap=0.05))
    shown.type("Code.")
    code = shown.frame.locator("#transcript .prose code")
    expect(code).to_contain_text("b2")
    code.evaluate("(node) => (node.first = true)")
    expect(shown.frame.locator("#transcript .message.mentor.complete")).to_have_count(1)
    assert code.evaluate("(node) => [node.first, node.textContent.endsWith('b19')]") == [True, True]


def test_links_lead_out_only_and_nothing_else_is_one(frame: Opens, model: ModelServer) -> None:
    said = (
        "[**ok**](https://a.example/x) [mail](mailto:a@b.example) https://b.example/y. "
        "[https://c.example](https://c.example/z) [no](javascript:alert(1)) [no](/admin/) [no](data:text/html,x) "
        "<a href='/admin/'>no</a>"
    )
    links = answered(frame(), model, said).locator("a")
    found = [link.get_attribute("href") for link in links.all()]
    assert found == [
        "https://a.example/x",
        "mailto:a@b.example",
        "https://b.example/y",
        "https://c.example/z",
    ]
    assert {link.get_attribute("target") for link in links.all()} == {"_blank"}
    assert all("noopener" in (link.get_attribute("rel") or "") for link in links.all())


SHOWN = r"""Derivatives measure change: $f'(x) = \lim_{h \to 0} \frac{f(x+h) - f(x)}{h}$, so ~~slopes~~ *rates*.

$$
\begin{aligned}
\int_0^\infty e^{-x^2}\,dx &= \frac{\sqrt{\pi}}{2} \\
\sum_{n=1}^{\infty} \frac{1}{n^2} &= \frac{\pi^2}{6} \tag{1}
\end{aligned}
$$

- [x] Read $a^2 + b^2 = c^2$
- [ ] Try **bold *and* em**

\[ A = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}, \quad \boxed{\det A = -2}, \quad
|x| = \begin{cases} x & x \ge 0 \\ -x & x < 0 \end{cases}, \quad \frac{\cancel{3}\cdot 4}{\cancel{3}} \]

| Step | Kind | Points |
|:-----|:----:|-------:|
| one  | a    | 5      |
| two  | b    | 1,250  |

```python
def slope(f, x, h=1e-6):
    return (f(x + h) - f(x)) / h
```

Broken: $\frac{1}$ and money: $5 and $10."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 400, 1000])
def test_it_fits_every_window(
    page: Page, frame: Opens, model: ModelServer, picture: Callable[[Page, str], Path], theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 1100})
    prose = answered(frame(f"/embed/school/coach/?theme={theme}"), model, SHOWN)
    expect(prose.locator("math").first).to_be_visible()
    picture(page, f"markdown-{theme}-{width}")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#scroller").evaluate("(node) => node.scrollWidth <= node.clientWidth")
