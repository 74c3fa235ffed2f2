import { z } from "zod";
import { BROKERED, HOSTED } from "#policy/presets.ts";
import {
  expected,
  Host,
  oneOf,
  Private,
  RepoGlob,
  SecretName,
  Size,
  strict,
  Text,
  UrlPath,
  Whole,
} from "#policy/scalars.ts";

export const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const;

const some = <Item extends z.ZodType>(what: string, item: Item) =>
  z
    .array(item, { error: expected(what) })
    .min(1, { error: `expected ${what}, got an empty list` })
    .optional();

const egress = {
  preset: oneOf([...BROKERED, ...HOSTED]).optional(),
  repos: some("a list of repositories", RepoGlob),
  host: Host.optional(),
  ports: some("a list of ports", Whole("a port from 1 to 65535", 65_535)),
  methods: some("a list of methods", oneOf(METHODS)),
  paths: some("a list of URL paths", UrlPath),
  private: some("a list of ranges", Private),
  mode: oneOf(["tunnel", "intercept"]).optional(),
};

interface Way {
  preset?: string | undefined;
  host?: string | undefined;
}

function oneWay(
  entry: Way,
  context: { addIssue(issue: { code: "custom"; message: string; path?: string[] }): void },
): void {
  if ((entry.preset === undefined) === (entry.host === undefined)) {
    context.addIssue({ code: "custom", message: "an egress entry names exactly one of host, preset" });
  }
  const extra = Object.keys(entry).find((key) => key !== "preset" && key !== "repos");
  if (entry.preset !== undefined && extra !== undefined && extra !== "host" && extra !== "only") {
    context.addIssue({ code: "custom", message: `a preset brings its own rules - remove "${extra}"`, path: [extra] });
  }
}

const Secret = z.union(
  [SecretName, strict("a secret's name or {name, header}", { name: SecretName, header: Text.optional() })],
  {
    error: expected("a secret's name or {name, header}"),
  },
);

export const EgressShape = strict("an egress entry like {host: api.example.com}", {
  ...egress,
  secret: Secret.optional(),
  max_body: Size.optional(),
  i_accept_shared_host: Text.optional(),
}).superRefine(oneWay);
export type EgressShape = z.infer<typeof EgressShape>;

export const CeilingEgressShape = strict("an egress entry like {host: api.example.com}", {
  ...egress,
  only: oneOf(["ask"]).optional(),
}).superRefine(oneWay);
export type CeilingEgressShape = z.infer<typeof CeilingEgressShape>;
