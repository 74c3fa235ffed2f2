import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { imports, LAYERS, MAY_IMPORT, ROOTS, root, sources } from "./borders.ts";

/** The only files that turn a Secret into text: where a client is built, and where the gateway puts it into a request. */
const REVEALING = [
  "src/adapters/code-flow.ts",
  "src/adapters/directory/github.ts",
  "src/adapters/directory/slack-access.ts",
  "src/adapters/directory/slack-oauth.ts",
  "src/adapters/directory/slack-rotated.ts",
  "src/adapters/directory/slack-sealed.ts",
  "src/adapters/directory/slack-sign-in.ts",
  "src/adapters/directory/slack-socket.ts",
  "src/adapters/directory/slack-tokens.ts",
  "src/adapters/gateway/process.ts",
  "src/adapters/policy/mirror.ts",
  "src/adapters/repo-host/github/client.ts",
  "src/adapters/repo-host/github/key.ts",
  "src/adapters/repo-host/github/push.ts",
  "src/adapters/repo-host/github/verifier.ts",
  "src/adapters/sandbox/daytona/provider.ts",
  "src/adapters/sandbox/daytona/vendor.ts",
  "src/adapters/secrets/seal.ts",
  "src/adapters/ticket/linear/token.ts",
  "src/adapters/ticket/linear/vendor.ts",
  "src/decisions.ts",
  "src/front.ts",
  "src/gateway/client.ts",
  "src/gateway/credentials.ts",
  "src/gateway/git/repositories.ts",
  "src/gateway/model/answer.ts",
  "src/gateway/model/broker.ts",
  "src/gateway/registry.ts",
  "src/house.ts",
  "src/log.ts",
  "src/service.ts",
];

/** Vendors' packages that a start without them has no use for, each with the only files that name it. All are loaded late. */
const LAZY_VENDORS: Readonly<Record<string, readonly string[]>> = {
  "@daytonaio/": ["src/adapters/sandbox/daytona/vendor.ts"],
  "@linear/": ["src/adapters/ticket/linear/vendor.ts"],
  "@neondatabase/": ["db/drizzle.ts"],
  "@octokit/": ["src/adapters/repo-host/github/client.ts", "src/adapters/repo-host/github/verifier.ts"],
  "@slack/socket-mode": ["src/adapters/directory/slack-socket.ts"],
};

/** Where a process begins: what these import, and what that imports, is loaded whatever the configuration says. */
const BEGINNINGS = ["src/main.ts", "src/house.ts", "src/gateway-role.ts", "src/doctor.ts"];

/** What is loaded before a line of the file runs: no types, nothing that a function imports or requires. */
function loadedBy(file: string): string[] {
  const text = readFileSync(path.join(root, file), "utf8");
  const forms =
    /^(?:import|export)\b(?!\s+type\b)[^;"']*?\bfrom\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|^(?:const|let|var)\b[^;]*?\brequire\(\s*["']([^"']+)["']/gm;
  return [...text.matchAll(forms)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

function fileOf(specifier: string, from: string): string | null {
  if (specifier.startsWith("./")) return path.posix.join(path.posix.dirname(from), specifier);
  if (!specifier.startsWith("#")) return null;
  return /^#(db|images|scripts|test)\//.test(specifier) ? specifier.slice(1) : specifier.replace(/^#/, "src/");
}

function allowed(row: readonly string[], folder: string, specifier: string): boolean {
  if (specifier.startsWith("./")) return true;
  if (specifier.startsWith("node:"))
    return row.some((entry) => entry === "node:" || entry === "*" || entry === specifier);
  if (specifier.startsWith("#")) {
    const own = folder.startsWith("src/") ? `#${folder.slice(4)}` : `#${folder}`;
    return [own, ...row].some((entry) => specifier === entry || specifier.startsWith(`${entry}/`));
  }
  return row.some((entry) => entry === "*" || specifier === entry || specifier.startsWith(`${entry}/`));
}

test("every import crosses only the borders in the table", () => {
  const broken: string[] = [];
  for (const [folder, row] of Object.entries(MAY_IMPORT)) {
    const files = sources(folder);
    expect(files.length, `${folder} matches no file`).toBeGreaterThan(0);
    for (const file of files) {
      for (const specifier of imports(file)) {
        if (!allowed(row, folder, specifier)) broken.push(`${file} imports ${specifier}`);
      }
    }
  }
  expect(broken).toEqual([]);
});

test("a vendor's package is named in its own files, and in no other", () => {
  const files = [...sources("src"), ...sources("db")];
  for (const [vendor, named] of Object.entries(LAZY_VENDORS)) {
    const naming = files.filter((file) =>
      new RegExp(`["'\`]${vendor}`).test(readFileSync(path.join(root, file), "utf8")),
    );
    expect(naming, vendor).toEqual(named);
  }
});

/** Every file of ours that is loaded when these are, and what each of them names. */
function closure(beginnings: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const loaded = new Set(beginnings);
  const named = new Map<string, readonly string[]>();
  for (const file of loaded) {
    const specifiers = loadedBy(file);
    named.set(file, specifiers);
    for (const specifier of specifiers) {
      const next = fileOf(specifier, file);
      if (next !== null && existsSync(path.join(root, next))) loaded.add(next);
    }
  }
  return named;
}

test("no start loads a vendor's package before it is wanted", () => {
  const loaded = closure(BEGINNINGS);
  const vendors = (specifier: string) => Object.keys(LAZY_VENDORS).some((vendor) => specifier.startsWith(vendor));
  const broken = [...loaded].flatMap(([file, named]) =>
    named.filter(vendors).map((specifier) => `${file} loads ${specifier}`),
  );
  expect(broken).toEqual([]);
  // What it went through is the product, and not two files of it.
  expect(loaded.size).toBeGreaterThan(300);
});

test("whoever asks about policy on the command line waits for policy to be loaded, and for no part of the service", () => {
  const loaded = closure(["src/main.ts", "src/command/policy.ts"]);
  const folders = new Set([...loaded.keys()].map((file) => file.split("/").slice(0, 2).join("/")));
  const parts = ["src/gateway", "src/runner", "src/surfaces", "src/playground", "src/house.ts", "src/gateway-role.ts"];
  expect(parts.filter((part) => folders.has(part))).toEqual([]);
  const packages = [...loaded.values()].flat().filter((name) => /^@?[a-z]/.test(name) && !name.startsWith("node:"));
  expect([...new Set(packages)].sort()).toEqual(["unbash", "yaml", "zod"]);
});

test("a file of a layered folder imports its own layer and those below", () => {
  const broken: string[] = [];
  for (const [folder, layers] of Object.entries(LAYERS)) {
    const order = Object.keys(layers);
    const layerOf = (file: string) => path.posix.dirname(path.posix.relative(folder, file));
    const files = sources(folder);
    expect([...new Set(files.map(layerOf))].sort(), `the layers of ${folder}`).toEqual([...order].sort());
    for (const file of files) {
      for (const specifier of imports(file)) {
        const imported = specifier.startsWith("./")
          ? path.posix.join(path.posix.dirname(file), specifier)
          : specifier.replace(/^#/, "src/");
        if (!imported.startsWith(`${folder}/`)) continue;
        if (order.indexOf(layerOf(imported)) > order.indexOf(layerOf(file)))
          broken.push(`${file} imports ${specifier}`);
      }
    }
  }
  expect(broken).toEqual([]);
});

test("every source file is in the table or is a root", () => {
  const known = (file: string) =>
    ROOTS.includes(file) || Object.keys(MAY_IMPORT).some((folder) => file.startsWith(`${folder}/`));
  expect([...sources("src"), ...sources("db")].filter((file) => !known(file))).toEqual([]);
});

test("the playground is brought in by the files that docs/architecture.md names, and by no other", () => {
  const bringing = [...sources("src"), ...sources("db")].filter(
    (file) =>
      !file.startsWith("src/playground/") && imports(file).some((specifier) => specifier.startsWith("#playground/")),
  );
  expect(bringing.sort()).toEqual(["src/front.ts", "src/gateway-role.ts", "src/house.ts"]);
  const room = /\*\*`src\/playground`\*\*[^\n]*(?:\n.+)*/.exec(
    readFileSync(path.join(root, "docs/architecture.md"), "utf8"),
  )?.[0];
  for (const file of bringing) expect(room).toContain(`\`${path.basename(file)}\``);
});

test("nothing is imported through ../", () => {
  const all = ["src", "db", "test", "bench", "images", "scripts"].flatMap((folder) => sources(folder));
  expect(all.filter((file) => imports(file).some((specifier) => specifier.startsWith("..")))).toEqual([]);
});

test("the listed files reveal a secret, and no other", () => {
  const revealing = [...sources("src"), ...sources("db")].filter((file) =>
    readFileSync(path.join(root, file), "utf8").includes(".reveal("),
  );
  expect(revealing.sort()).toEqual(REVEALING);
});

test("only config.ts reads the environment", () => {
  const readers = [...sources("src"), ...sources("db")].filter(
    (file) =>
      !/^src\/(runner|hosted)\//.test(file) && readFileSync(path.join(root, file), "utf8").includes("process.env"),
  );
  expect(readers.filter((file) => file !== "src/config.ts" && file !== "src/main.ts")).toEqual([]);
});

test("no file of ours is longer than 400 lines", () => {
  const long = ["src", "db", "test", "images", "bench", "scripts"]
    .flatMap((folder) => sources(folder, /\.(ts|mts|js|mjs|css|html)$/))
    .filter((file) => readFileSync(path.join(root, file), "utf8").split("\n").length > 401);
  expect(long).toEqual([]);
});

test("a test is skipped for want of a program in one place only, where CI makes it a failure", () => {
  const asking = sources("test").filter((file) =>
    /["']\/usr\/bin\/(chromium|bwrap)["']/.test(readFileSync(path.join(root, file), "utf8")),
  );
  expect(asking).toEqual(["test/adapters/sandbox-local-bench.ts", "test/e2e/browser.ts"]);
  expect(readFileSync(path.join(root, ".ci/run"), "utf8")).toMatch(/^export CI=1\n[\s\S]*^npm test$/m);
});

test("every event goes through the one door that redacts", () => {
  const writing = [...sources("src"), ...sources("db")].filter((file) =>
    /\bevents\??\.append\(/.test(readFileSync(path.join(root, file), "utf8")),
  );
  expect(writing).toEqual(["src/runs/record/record.ts"]);
});

test("the product runs without the packages that only tests, checks and scripts need", () => {
  const { dependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const late = /\bimport\(\s*["']([^"']+)["']/g;
  const packages = [...sources("src"), ...sources("db")].flatMap((file) => {
    const text = readFileSync(path.join(root, file), "utf8");
    const named = [...loadedBy(file), ...[...text.matchAll(late)].map((match) => match[1] ?? "")];
    return (
      named
        // "@acme/" is said within the text of a sample repository.
        .filter((name) => /^(?!node:|@acme\/)@?[a-z]/.test(name))
        .map((name) => ({ file, name: name.split("/", name.startsWith("@") ? 2 : 1).join("/") }))
    );
  });
  expect(packages.filter(({ name }) => dependencies[name] === undefined)).toEqual([]);
  expect(packages.length).toBeGreaterThan(20);
});

test("no lockfile names the address that its packages came from, and each names what they must be", () => {
  const images = readdirSync(path.join(root, "images")).map((image) => `images/${image}/package-lock.json`);
  const others = [...images, "test/fixtures/node-18/package-lock.json"];
  const locks = ["package-lock.json", ...others.filter((file) => existsSync(path.join(root, file)))];
  expect(locks.length).toBeGreaterThan(1);
  for (const file of locks) {
    const { packages } = JSON.parse(readFileSync(path.join(root, file), "utf8")) as {
      packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
    };
    const installed = Object.entries(packages).filter(([name]) => name !== "");
    expect(installed.length, file).toBeGreaterThan(0);
    expect(
      installed.filter(([, each]) => each.resolved !== undefined).map(([name]) => name),
      file,
    ).toEqual([]);
    expect(
      installed.filter(([, each]) => each.integrity === undefined).map(([name]) => name),
      file,
    ).toEqual([]);
  }
});

test("each decision has a number of its own, which its title says", () => {
  const decisions = readdirSync(path.join(root, "docs/adr")).sort();
  const titles = decisions.map((file) => readFileSync(path.join(root, "docs/adr", file), "utf8").split(". ", 1)[0]);
  expect(titles).toEqual(decisions.map((_, at) => `# ${at + 1}`));
  expect(decisions.map((file) => Number.parseInt(file, 10))).toEqual(decisions.map((_, at) => at + 1));
});
