import { expect, test } from "vitest";
import { markdown } from "#adapters/repo-host/local/markdown.ts";
import { pageLook } from "#surfaces/web/look.ts";

const show = (text: string): string =>
  markdown(pageLook, text)
    .toString()
    .replace(/^<div class="md">|<\/div>$/g, "");

test("headings, paragraphs, emphasis and code are drawn", () => {
  expect(show("# Receipt\n\nA **bold** and *soft* `a < b`.")).toBe(
    "<h3>Receipt</h3><p>A <strong>bold</strong> and <em>soft</em> <code>a &lt; b</code>.</p>",
  );
  expect(show("### Deep\nnext")).toBe("<h4>Deep</h4><p>next</p>");
});

test("lists nest, count, and show what is done", () => {
  expect(show("- a\n  - b\n- c")).toBe("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>");
  expect(show("1. a\n2. b")).toBe("<ol><li>a</li><li>b</li></ol>");
  expect(show("- [x] tests\n- [ ] docs")).toBe("<ul><li>done: tests</li><li>open: docs</li></ul>");
});

test("tables, quotes, rules and fences are drawn", () => {
  expect(show("| a | b |\n| --- | ---: |\n| 1 | **2** |")).toBe(
    "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td><strong>2</strong></td></tr></tbody></table>",
  );
  expect(show("> said\n> so\n\n---")).toBe("<blockquote><p>said\nso</p></blockquote><hr>");
  expect(show("```sh\nnpm test <x>\n```\nafter")).toBe(
    '<pre tabindex="0"><code>npm test &lt;x&gt;</code></pre><p>after</p>',
  );
});

test("http links may be followed and nothing else", () => {
  expect(show("[run](https://example.com/a?b=1&c=2)")).toBe(
    '<p><a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">run</a></p>',
  );
  expect(show("see https://example.com/x.")).toContain('<a href="https://example.com/x"');
  for (const target of ["javascript:alert(1)", "data:text/html,x", "//evil.example", "JaVaScRiPt:x", "vbscript:x"]) {
    expect(show(`[x](${target})`), target).not.toContain("<a ");
  }
});

test("HTML is shown as text, wherever it stands", () => {
  const hostile =
    '<script>alert(1)</script> <img src=x onerror="x"> [<b>](https://e.example/"onmouseover="x) `</code><b>`';
  const page = show(`${hostile}\n\n# ${hostile}\n\n| ${hostile} |\n| --- |\n| ${hostile} |\n\n> ${hostile}`);
  expect(page.match(/<(?!\/?(?:p|h3|table|thead|tbody|tr|th|td|blockquote|code|a)\b)[a-z/!]/gi)).toBeNull();
  expect(page).not.toContain('"onmouseover');
});

test("an image is a link, and never loaded", () => {
  expect(show("![pixel](https://e.example/p.png)")).toContain('<a href="https://e.example/p.png"');
});

test("what was never closed is text", () => {
  expect(show("a **b and `c and [d](e")).toBe("<p>a **b and `c and [d](e</p>");
  expect(show("```\nno end")).toBe('<pre tabindex="0"><code>no end</code></pre>');
  expect(show("snake_case_name and 2 * 3 * 4")).toBe("<p>snake_case_name and 2 * 3 * 4</p>");
});

test.each(["[", "*", "_ ", "`", "[x](", "> ", "- ", "# ", "|", "https://", "![", "**a "])(
  "a body of nothing but %j ends",
  (piece) => {
    expect(show(piece.repeat(30_000)).length).toBeGreaterThan(0);
  },
);

test("a body that is too long is cut, and that is said", () => {
  expect(show("word ".repeat(20_000))).toContain("The rest is too long to show.");
});
