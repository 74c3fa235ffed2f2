import type { HostedRepository } from "#ports/repo-host.ts";
import type { Commit } from "./diff.ts";
import type { HostLook, Html } from "./look.ts";
import type { KeptPull } from "./pulls.ts";
import { crumbs, shortOid, statePill, when } from "./words.ts";

export interface Branch {
  readonly name: string;
  readonly oid: string;
  readonly at: string;
  readonly subject: string;
}

const badge = (look: HostLook): Html | "" => (look.badge === undefined ? "" : look.h` ${look.badge}`);

/** The list of repositories. */
export function hostPage(
  look: HostLook,
  home: string,
  repositories: readonly (HostedRepository & { description: string })[],
): string {
  const { h } = look;
  const rows = repositories.map(
    (repository) =>
      h`<tr><td><a href="${home}/${repository.name}">${repository.name}</a><br><span class="who">${repository.description}</span></td><td class="n mono">${repository.defaultBranch}</td></tr>`,
  );
  const list = rows.length === 0 ? h`<p class="who">There is no repository yet.</p>` : h`<table>${rows}</table>`;
  const words = h`<p class="who">A local stand-in for a forge. It keeps repositories and pull requests on this machine.</p>`;
  return look.page({
    title: "Repositories",
    body: h`<header class="top"><h1>Repositories${badge(look)}</h1>${words}</header><section>${list}</section>`,
  });
}

interface Place {
  readonly cloneUrl: string;
  /** What it was imported from. */
  readonly source: string | null;
}

const cloning = (h: HostLook["h"], { cloneUrl, source }: Place): Html =>
  h`<section><h2>Clone</h2><ul class="lines"><li><code>git clone ${cloneUrl}</code></li></ul>${
    source === null
      ? ""
      : h`<p class="who gap">Imported from <span class="mono">${source}</span>, which is only ever read.</p>`
  }</section>`;

/** A repository: pull requests first, then branches and the latest commits. */
export function repositoryPage(
  look: HostLook,
  home: string,
  of: {
    repository: HostedRepository;
    description: string;
    /** Where it lies on the server; `null`: not to be shown. */
    place: Place | null;
    pulls: readonly KeptPull[];
    branches: readonly Branch[];
    commits: readonly Commit[];
  },
): string {
  const { h } = look;
  const { repository, description, place, branches, commits } = of;
  const pulls = of.pulls.map(
    ({ pull, text }) =>
      h`<tr><td class="who num">${pull.number}</td><td><a href="${home}/${repository.name}/pull/${pull.number}">${text.title}</a><br><span class="who mono">${pull.branch}</span></td><td class="n">${statePill(look, pull)}</td></tr>`,
  );
  const section = (title: string, rows: readonly Html[], none: string): Html =>
    h`<section><h2>${title}</h2>${rows.length === 0 ? h`<p class="who">${none}</p>` : h`<table>${rows}</table>`}</section>`;
  const branchRows = branches.map(
    (branch) =>
      h`<tr><td><span class="mono">${branch.name}</span>${branch.name === repository.defaultBranch ? h` <span class="rule">default</span>` : ""}<br><span class="who">${branch.subject}</span></td><td class="n mono">${shortOid(branch.oid)}</td></tr>`,
  );
  const commitRows = commits.map(
    (commit) =>
      h`<tr><td>${commit.subject}<br><span class="who">${commit.author}, ${when(h, commit.at)}</span></td><td class="n mono">${shortOid(commit.oid)}</td></tr>`,
  );
  const body = h`<header class="top">${crumbs(look, home, repository.name, null)}<h1>${repository.name}${badge(look)}</h1><p class="who">${description}</p></header><div class="grid"><div>${section("Pull requests", pulls, "There is no pull request yet.")}${section(`Latest commits on ${repository.defaultBranch}`, commitRows, "There is no commit.")}</div><aside>${
    place === null ? "" : cloning(h, place)
  }${section("Branches", branchRows, "There is no branch.")}</aside></div>`;
  return look.page({ title: repository.name, body });
}
