import { readFile, stat } from "node:fs/promises";
import { parseDocument } from "yaml";
import { z } from "zod";
import { DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";

/** How old an export may be where policy says nothing else. */
export const IDP_MAX_AGE_MS = 24 * 3_600_000;

/** An export of a hundred thousand people; a larger file is a mistake. */
const MOST_BYTES = 32_000_000;

const CLOCKS_DIFFER_MS = 5 * 60_000;

const Text = z.string().min(1);

/** One human with the accounts that the identity provider vouches for, by the ids those systems give, never by names. */
const Person = z.strictObject({
  name: Text.optional(),
  email: z.email().optional(),
  /** "U0ANA". */
  slack: z
    .string()
    .regex(/^[UW][A-Z0-9]{2,20}$/, "expected a member id like U0ANA, not a name")
    .optional(),
  /** The number that GitHub gives an account: `gh api users/octocat --jq .id`. A login can be renamed and taken again. */
  github: z.int().positive().optional(),
  /** The id that Linear gives a user, a UUID. */
  linear: z.uuid("expected a user's id, not a name").optional(),
});

const Export = z.strictObject({
  version: z.literal(1),
  /** When the identity provider wrote it: ISO 8601 with its zone. */
  exported: z.iso.datetime({ offset: true }),
  people: z.record(Text, Person),
  groups: z.record(Text, z.array(Text)),
});

interface Read {
  readonly exportedAt: number;
  readonly people: ReadonlyMap<string, z.infer<typeof Person>>;
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

/** People and groups as an identity provider exported them. Everything throws `DirectoryUnavailable` while that cannot be trusted. */
export interface IdpFile {
  /** Slack accounts of a group's people. `maxAgeMs`: how old the export may be; `null`: a day. */
  group(name: string, maxAgeMs: number | null, workspace: string): Promise<readonly ExternalId[]>;
  /** Slack accounts of the people behind GitHub accounts, by number; those that nobody vouches for are left out. */
  ofGithub(ids: readonly number[], workspace: string): Promise<readonly ExternalId[]>;
  /** The Slack account of the person behind an account of Linear; `null`: nobody vouches for it. */
  ofLinear(id: string, workspace: string): Promise<ExternalId | null>;
  /** `null` when no person has this address. */
  ofEmail(email: string, workspace: string): Promise<readonly ExternalId[] | null>;
}

export interface IdpFileOptions {
  /** Absolute; YAML or JSON. */
  readonly file: string;
  readonly now?: () => number;
}

/**
 * Follows a file that an identity provider's export writes, in whole or not at all (write it elsewhere and rename it). It is
 * looked at for every answer and read when it has changed, so that a person who was taken out is out at the next click.
 */
export function idpFile({ file, now = Date.now }: IdpFileOptions): IdpFile {
  let seen = "";
  let last: Promise<Read> | null = null;

  async function current(maxAgeMs: number | null): Promise<Read> {
    let mark: string;
    try {
      const { mtimeMs, size, ino } = await stat(file);
      if (size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
      mark = `${mtimeMs} ${size} ${ino}`;
    } catch (cause) {
      last = null;
      throw new DirectoryUnavailable(`the identity provider's file cannot be read: ${words(cause)}`, { cause });
    }
    if (last === null || seen !== mark) {
      seen = mark;
      last = readFile(file, "utf8").then(parsed);
      last.catch(() => {
        last = null;
      });
    }
    let read: Read;
    try {
      read = await last;
    } catch (cause) {
      throw new DirectoryUnavailable(`the identity provider's file is broken: ${words(cause)}`, { cause });
    }
    const age = now() - read.exportedAt;
    // A date that is still to come would never be too old.
    if (age < -CLOCKS_DIFFER_MS) throw new DirectoryUnavailable("the identity provider's file is dated in the future");
    if (age > (maxAgeMs ?? IDP_MAX_AGE_MS)) {
      const hours = Math.round(age / 3_600_000);
      throw new DirectoryUnavailable(`the identity provider's file is too old: it was exported ${hours} hours ago`);
    }
    return read;
  }

  const slackOf = (people: Iterable<z.infer<typeof Person> | undefined>, workspace: string): readonly ExternalId[] =>
    [...people].flatMap((person) =>
      person?.slack === undefined ? [] : [{ provider: "slack", workspace, id: person.slack }],
    );

  return {
    async group(name, maxAgeMs, workspace) {
      const read = await current(maxAgeMs);
      const members = read.groups.get(name);
      if (members === undefined) throw new DirectoryUnavailable(`the identity provider's file has no group ${name}`);
      const accounts = slackOf(
        members.map((id) => read.people.get(id)),
        workspace,
      );
      if (accounts.length === 0) throw new DirectoryUnavailable(`nobody of the group ${name} has an account here`);
      return accounts;
    },
    async ofGithub(ids, workspace) {
      const read = await current(null);
      const wanted = new Set(ids);
      const people = [...read.people.values()].filter(({ github }) => github !== undefined && wanted.has(github));
      return slackOf(people, workspace);
    },
    async ofLinear(id, workspace) {
      const read = await current(null);
      const found = [...read.people.values()].find(({ linear }) => linear?.toLowerCase() === id.toLowerCase());
      return slackOf([found], workspace)[0] ?? null;
    },
    async ofEmail(email, workspace) {
      const read = await current(null);
      const found = [...read.people.values()].find((one) => one.email?.toLowerCase() === email.toLowerCase());
      return found === undefined ? null : slackOf([found], workspace);
    },
  };
}

/** Strict: a key that we do not know, a member who is nobody, or an account of two people is an error. */
function parsed(text: string): Read {
  const document = parseDocument(text, { uniqueKeys: true, strict: true, version: "1.2" });
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) throw new Error(broken.message.split("\n")[0]);
  const { people, groups, exported } = Export.parse(document.toJS({ maxAliasCount: 0 }));
  for (const key of ["slack", "github", "linear", "email"] as const) {
    const owners = new Map<string, string>();
    for (const [id, person] of Object.entries(people)) {
      const value = person[key];
      if (value === undefined) continue;
      const other = owners.get(String(value).toLowerCase());
      if (other !== undefined) throw new Error(`${other} and ${id} have the same ${key} account`);
      owners.set(String(value).toLowerCase(), id);
    }
  }
  for (const [name, members] of Object.entries(groups)) {
    const stranger = members.find((id) => !Object.hasOwn(people, id));
    if (stranger !== undefined) throw new Error(`the group ${name} has ${stranger}, who is not under people`);
  }
  return {
    exportedAt: Date.parse(exported),
    people: new Map(Object.entries(people)),
    groups: new Map(Object.entries(groups)),
  };
}

function words(cause: unknown): string {
  if (cause instanceof z.ZodError) {
    return cause.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`).join("; ");
  }
  return cause instanceof Error ? cause.message : String(cause);
}
