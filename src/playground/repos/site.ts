import type { Sample } from "./sample.ts";
import { ana, cy } from "./sample.ts";

const home = `---
title: Acme
---

# Tea, cups and quiet

We import tea from eleven gardens and pack it in Lisbon. Come by, or order online.

- [Opening hours](opening-hours.md)
- [Questions](faq.md)
`;

const hours = `---
title: Opening hours
---

# Opening hours

| Day | Hours |
| --- | --- |
| Monday to Wendesday | 9:00 to 18:00 |
| Thursday and Friday | 9:00 to 20:00 |
| Saturday | 10:00 to 16:00 |
| Sunday | closed |

On public holidays we open at 11:00.
`;

const faq = `---
title: Questions
---

# Questions

## How long does tea keep?

Two years in a closed tin. It does not go bad after that, it only gets quieter.

## Do you ship abroad?

Yes, to the European Union and the United Kingdom.

## Can I return a cup?

Within 30 days, unbroken.
`;

const header = `/** The bar at the top of every page. Product owns the components. */
export function header(title) {
  return '<header class="bar"><a href="/">Acme</a><h1>' + escape(title) + "</h1></header>";
}

function escape(text) {
  return text.replace(/[&<>"]/g, (letter) => "&#" + letter.charCodeAt(0) + ";");
}
`;

const footer = `/** The line at the bottom of every page. */
export function footer(year) {
  return "<footer>Acme, Lisbon. " + year + ".</footer>";
}
`;

const checkLinks = `// Every link between pages must lead to a page. Run: node scripts/check-links.js
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const broken = [];
for (const page of readdirSync("content").filter((name) => name.endsWith(".md"))) {
  const text = readFileSync(join("content", page), "utf8");
  if (!text.startsWith("---\\ntitle: ")) broken.push(page + " has no title");
  for (const [, target] of text.matchAll(/\\]\\(([^):#]+\\.md)\\)/g)) {
    if (!existsSync(join("content", target))) broken.push(page + " links to " + target + ", which is not there");
  }
}
for (const line of broken) console.error(line);
console.log(broken.length === 0 ? "all links lead somewhere" : broken.length + " problems");
process.exitCode = broken.length === 0 ? 0 : 1;
`;

/** A static site: words that marketing may change, components that product owns. */
export const site: Sample = {
  name: "acme/site",
  defaultBranch: "main",
  description: "The public site: words, pictures and a few components",
  commits: [
    {
      message: "Words for the first pages",
      author: cy,
      at: "2026-02-11T10:00:00Z",
      files: {
        "README.md": `# Site

Pages are Markdown in content/. Components are in src/components/ and belong to product. What is in public/ is served as it is.

    node scripts/check-links.js
`,
        "content/index.md": home,
        "content/opening-hours.md": hours,
        "content/faq.md": faq,
        "public/robots.txt": "User-agent: *\nAllow: /\n",
        "public/style.css": "body { font: 16px/1.5 system-ui; margin: 2rem auto; max-width: 60ch; }\n",
      },
    },
    {
      message: "Header and footer as components",
      author: ana,
      at: "2026-02-18T15:30:00Z",
      files: {
        "src/components/header.js": header,
        "src/components/footer.js": footer,
        "scripts/check-links.js": checkLinks,
      },
    },
  ],
};
