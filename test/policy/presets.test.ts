import { describe, expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import { compileScope } from "#policy/load/compile.ts";
import { BROKERED, HOSTED } from "#policy/presets.ts";
import type { SiteConfig } from "#policy/site.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

const org = ORG.replace(
  /egress: .*/,
  'egress: [{preset: npm-read}, {preset: model-openai}, {preset: model-anthropic}, {preset: pypi-read}, {preset: go-read}, {preset: github, repos: ["acme/*"]}]',
);
const SITE: SiteConfig = {
  presets: ["npm-read", "model-openai", "model-anthropic"],
  upstreams: ["packages.example.com", "models.example.com"],
  pypi: [
    { host: "index.example.com", paths: ["/simple", "/simple/**"] },
    { host: "files.example.com", paths: ["/**"] },
  ],
  goProxy: { host: "modules.example.com", base: "/go" },
};
const granted = (entry: string, site: SiteConfig = SITE) =>
  load(teamFile(`rules: [{allow: {git.repo: acme/shop}}]\negress: [${entry}]\n`), { org, site });

/** "GET https://host/path" → the outcome. */
function ask(entry: string, request: string, site: SiteConfig = SITE): string {
  const [method = "", url = ""] = request.split(" ");
  const { hostname, pathname } = new URL(url);
  const object = { subject: "egress", host: hostname, port: 443, method, path: pathname } as const;
  return decide(loaded(granted(entry, site)), { team: "shop", objects: [object] }).outcome;
}

test("every preset of the format is one that the gateway serves, or one of hosts", () => {
  expect([...BROKERED, ...HOSTED].sort()).toEqual([
    "github",
    "go-read",
    "model-anthropic",
    "model-openai",
    "npm-read",
    "pypi-read",
  ]);
});

describe("github reads the named repositories, by method and path", () => {
  const entry = "{preset: github, repos: [acme/shop]}";
  test.each([
    "GET https://github.com/acme/shop/blob/main/a.ts",
    "HEAD https://github.com/acme/shop.git/info/refs",
    "POST https://github.com/acme/shop.git/git-upload-pack",
    "GET https://api.github.com/repos/acme/shop",
    "GET https://api.github.com/repos/acme/shop/pulls/4",
    "GET https://raw.githubusercontent.com/acme/shop/main/a.ts",
    "GET https://codeload.github.com/acme/shop/tar.gz/main",
  ])("%s is allowed", (request) => {
    expect(ask(entry, request)).toBe("allow");
  });
  test.each([
    "POST https://github.com/acme/shop.git/git-receive-pack",
    "GET https://github.com/acme/other/blob/main/a.ts",
    "GET https://github.com/acme/shop-secrets/blob/main/a.ts",
    "GET https://github.com/login",
    "GET https://api.github.com/user/repos",
    "GET https://api.github.com/gists",
    "POST https://api.github.com/repos/acme/shop/issues",
    "DELETE https://api.github.com/repos/acme/shop",
    "POST https://api.github.com/graphql",
    "GET https://gist.github.com/acme/1",
    "GET https://raw.githubusercontent.com/other/shop/main/a.ts",
    "GET https://uploads.github.com/repos/acme/shop/releases/1/assets",
  ])("%s is denied", (request) => {
    expect(ask(entry, request)).toBe("deny");
  });
  test("an installation of one's own has its own hosts, and github.com is none of them then", () => {
    const site = { ...SITE, github: { web: "forge.example.com", api: "api.forge.example.com", files: [] } };
    expect(ask(entry, "GET https://api.forge.example.com/repos/acme/shop", site)).toBe("allow");
    expect(ask(entry, "GET https://api.github.com/repos/acme/shop", site)).toBe("deny");
  });
});

describe("pypi-read reads the index that the site configures", () => {
  test("by its paths, and only by reading", () => {
    expect(ask("{preset: pypi-read}", "GET https://index.example.com/simple/requests")).toBe("allow");
    expect(ask("{preset: pypi-read}", "GET https://files.example.com/packages/a.whl")).toBe("allow");
    expect(ask("{preset: pypi-read}", "GET https://index.example.com/legacy")).toBe("deny");
    expect(ask("{preset: pypi-read}", "POST https://index.example.com/simple/requests")).toBe("deny");
  });
  test("without one it opens nothing, and that is said", () => {
    const { pypi: _, ...bare } = SITE;
    const result = granted("{preset: pypi-read}", bare);
    expect(loaded(result).teams.shop?.egress).toEqual([]);
    expect(result.ok && result.warnings.map(({ message }) => message)).toContain(
      'the preset "pypi-read" is not configured here: it grants nothing yet',
    );
  });
});

describe("go-read asks the module proxy that the site configures what Go asks one", () => {
  const entry = "{preset: go-read}";
  const at = "https://modules.example.com/go";
  test.each([
    `GET ${at}/example.com/x/@v/list`,
    `GET ${at}/example.com/deep/er/!x/v2/@v/v2.0.1.info`,
    `GET ${at}/example.com/x/@v/v1.0.0.mod`,
    `GET ${at}/example.com/x/@v/v0.0.0-20240102030405-abcdef123456.zip`,
    `GET ${at}/example.com/x/@latest`,
    `GET ${at}/sumdb/sums.example.com/supported`,
    `GET ${at}/sumdb/sums.example.com/tile/8/0/x001/234.p/56`,
  ])("%s is allowed", (request) => expect(ask(entry, request)).toBe("allow"));
  test.each([
    `PUT ${at}/example.com/x/@v/v1.0.0.zip`,
    `POST ${at}/sumdb/sums.example.com/supported`,
    `GET ${at}/example.com/x`,
    `GET ${at}/example.com/x/@v/v1.0.0.sh`,
    "GET https://modules.example.com/example.com/x/@v/list",
    "GET https://modules.example.com/admin",
    "GET https://example.com/x?go-get=1",
  ])("%s is denied", (request) => expect(ask(entry, request)).toBe("deny"));
  test("without one it opens nothing, and that is said", () => {
    const { goProxy: _, ...bare } = SITE;
    const result = granted(entry, bare);
    expect(loaded(result).teams.shop?.egress).toEqual([]);
    expect(result.ok && result.warnings.map(({ message }) => message)).toContain(
      'the preset "go-read" is not configured here: it grants nothing yet',
    );
  });
});

describe.each(BROKERED)("%s is served by the gateway itself", (preset) => {
  test("it opens no host: nothing in a sandbox can name where it comes from", () => {
    expect(loaded(granted(`{preset: ${preset}}`)).teams.shop?.egress).toEqual([]);
    for (const host of SITE.upstreams ?? []) {
      expect(ask(`{preset: ${preset}}`, `GET https://${host}/`)).toBe("deny");
    }
  });
  test("it grants its own service and no other", () => {
    const compiled = compileScope(loaded(granted(`{preset: ${preset}}`)), {
      team: "shop",
      repo: "acme/shop",
      run: "r1",
    });
    expect(compiled.ok && [compiled.scope.registry, compiled.scope.models]).toEqual(
      preset === "npm-read" ? [true, []] : [false, ["*"]],
    );
  });
  test("where the site has none, that is said", () => {
    const result = granted(`{preset: ${preset}}`, { presets: [] });
    expect(result.ok && result.warnings.map(({ message }) => message)).toContain(
      `the preset "${preset}" is not configured here: it grants nothing yet`,
    );
  });
});
