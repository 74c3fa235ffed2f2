import { type Git, gitText } from "#adapters/git.ts";

/** One call on the emulator; throws on anything but success. */
export type Call = (method: string, path: string, body?: unknown) => Promise<unknown>;

interface Named {
  readonly sha: string;
}

/**
 * Keeps the emulator's idea of a repository the same as the bare one that git serves: objects get the same ids on both
 * sides, so what was pushed is what a pull request shows.
 */
export function mirror(git: Git, call: Call, of: { gitDir: string; repo: string }) {
  const { gitDir, repo } = of;
  const known = new Set<string>();
  let refs = new Map<string, string>();
  const at = (path: string) => `/repos/${repo}/${path}`;

  async function same(kind: string, oid: string, posted: Promise<unknown>): Promise<void> {
    const { sha } = (await posted) as Named;
    if (sha !== oid) throw new Error(`the emulator calls the ${kind} ${oid} ${sha}`);
    known.add(oid);
  }

  async function blob(oid: string): Promise<void> {
    if (known.has(oid)) return;
    const { stdout } = await git(["cat-file", "blob", oid], { gitDir });
    await same("blob", oid, call("POST", at("git/blobs"), { content: stdout.toString("base64"), encoding: "base64" }));
  }

  async function tree(oid: string): Promise<void> {
    if (known.has(oid)) return;
    const lines = (await gitText(git, ["ls-tree", "-r", oid], { gitDir })).split("\n").filter((line) => line !== "");
    const entries = lines.map((line) => {
      const [meta = "", path = ""] = line.split("\t");
      const [mode = "", type = "", sha = ""] = meta.split(" ");
      return { path, mode, type, sha };
    });
    for (const entry of entries) await blob(entry.sha);
    await same("tree", oid, call("POST", at("git/trees"), { tree: entries }));
  }

  async function commit(oid: string): Promise<void> {
    const raw = (await git(["cat-file", "commit", oid], { gitDir })).stdout.toString("utf8");
    const end = raw.indexOf("\n\n");
    const head = raw.slice(0, end).split("\n");
    const field = (name: string) =>
      head.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
    const [treeOid = ""] = field("tree");
    await tree(treeOid);
    const body = {
      message: raw.slice(end + 2),
      tree: treeOid,
      parents: field("parent"),
      author: personOf(field("author")[0] ?? ""),
      committer: personOf(field("committer")[0] ?? ""),
    };
    await same("commit", oid, call("POST", at("git/commits"), body));
  }

  return {
    /** Branches as git has them now. */
    branches: () => refs,
    /** Hands on what git has and the emulator does not. */
    async pull(): Promise<void> {
      const lines = (
        await gitText(git, ["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"], { gitDir })
      ).split("\n");
      const now = new Map(lines.filter((line) => line !== "").map((line) => line.split(" ") as [string, string]));
      for (const [ref, oid] of now) {
        if (refs.get(ref) === oid) continue;
        const commits = (await gitText(git, ["rev-list", "--reverse", "--topo-order", oid], { gitDir })).split("\n");
        for (const one of commits) if (!known.has(one)) await commit(one);
        if (refs.has(ref)) await call("PATCH", at(`git/${ref}`), { sha: oid, force: true });
        else await call("POST", at("git/refs"), { ref, sha: oid });
      }
      refs = now;
    },
    /** Brings back what was merged there: the commit as the emulator made it, on `branch`. */
    async bring(oid: string, branch: string): Promise<void> {
      const made = (await call("GET", at(`git/commits/${oid}`))) as Made;
      const text = [
        `tree ${made.tree.sha}`,
        ...made.parents.map((parent) => `parent ${parent.sha}`),
        `author ${stamp(made.author)}`,
        `committer ${stamp(made.committer)}`,
        "",
        made.message.endsWith("\n") ? made.message : `${made.message}\n`,
      ].join("\n");
      const put = await gitText(git, ["hash-object", "-t", "commit", "-w", "--stdin"], { gitDir, input: text });
      if (put !== oid) throw new Error(`git calls the merge ${oid} ${put}`);
      known.add(oid);
      await gitText(git, ["update-ref", `refs/heads/${branch}`, oid], { gitDir });
      refs = new Map(refs).set(`refs/heads/${branch}`, oid);
    },
  };
}

interface Signed {
  readonly name: string;
  readonly email: string;
  readonly date: string;
}

interface Made {
  readonly tree: Named;
  readonly parents: readonly Named[];
  readonly author: Signed;
  readonly committer: Signed;
  readonly message: string;
}

const stamp = ({ name, email, date }: Signed): string =>
  `${name} <${email}> ${Math.floor(Date.parse(date) / 1000)} +0000`;

/** "Ana <ana@example.com> 1767690000 +0000" as the API has it. Only UTC: another zone would be another commit there. */
function personOf(line: string): Signed {
  const found = /^(.*) <(.*)> (\d+) \+0000$/.exec(line);
  if (found === null) throw new Error(`a commit by ${line} cannot be mirrored`);
  const [, name = "", email = "", seconds = "0"] = found;
  return { name, email, date: new Date(Number(seconds) * 1000).toISOString() };
}
