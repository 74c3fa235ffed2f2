import type { EventBody, RunEvent } from "#runs/event.ts";
import { peopleOf } from "#runs/view.ts";
import { CLICK_REASONS, EGRESS_REASONS } from "#surfaces/reasons.ts";
import type { CommandView, Mark, TimelineItem, Words } from "./run-view.ts";

type Draft = { -readonly [K in keyof TimelineItem]: TimelineItem[K] };
type DraftCommand = { -readonly [K in keyof CommandView]: CommandView[K] };

/** Of a command's output, what the page keeps; the record has all of it. */
const OUTPUT_KEPT = 8_000;

/** What a rule that is only tried would have said. */
function tried({ outcome, until, rules }: Trial): Words {
  const [rule] = rules;
  return [
    ` would ${outcome === "deny" ? "have been denied" : "have been asked about"} by a rule on trial until ${until}`,
    ...(rule === undefined ? [] : [" ", { source: rule.at }]),
  ];
}
type Trial = NonNullable<Extract<EventBody, { kind: "policy.decided" }>["trial"]>;

const REVIEWED: Record<Extract<EventBody, { kind: "pull_request.reviewed" }>["verdict"], string> = {
  approved: "approved it in review",
  changes_requested: "asks for changes in review",
  commented: "commented in review",
  dismissed: "had a review dismissed",
};

/** What happened, one line per thing a reader cares about. A command is one line from its start to its end. */
export function story(events: readonly RunEvent[]): TimelineItem[] {
  const items: Draft[] = [];
  const commands = new Map<string, { item: Draft; command: DraftCommand; from: number }>();
  const refused = new Map<string, Draft & { times: number }>();
  const onTrial = new Set<string>();
  for (const event of events) {
    const { body } = event;
    const add = (mark: Mark, words: Words, quote: TimelineItem["quote"] = null): Draft => {
      const item: Draft = { id: String(event.seq), at: event.at.toISOString(), mark, words, quote, command: null };
      items.push(item);
      return item;
    };
    if (body.kind === "tool.started") {
      if (body.command === null) continue;
      const item = add("info", ["Runs a command"]);
      const command: DraftCommand = {
        line: body.command,
        output: "",
        cutBytes: 0,
        exitCode: null,
        ended: false,
        ms: null,
        refusedHosts: [],
      };
      item.command = command;
      commands.set(body.tool, { item, command, from: event.at.getTime() });
    } else if (body.kind === "tool.output") {
      const open = commands.get(body.tool);
      if (open) append(open.command, body.text);
    } else if (body.kind === "tool.ended") {
      const open = commands.get(body.tool);
      if (!open) continue;
      open.command.ended = true;
      open.command.exitCode = body.exitCode ?? (body.status === "ok" ? 0 : null);
      open.command.ms = event.at.getTime() - open.from;
      open.item.mark = body.status === "ok" ? "ok" : "no";
      open.item.words = [
        body.status === "ok"
          ? "Ran a command"
          : body.status === "failed"
            ? "A command failed"
            : "A command was interrupted",
      ];
    } else if (body.kind === "egress.decided") {
      const host = `${body.host}:${body.port}`;
      if (body.trial !== undefined && !onTrial.has(host)) {
        onTrial.add(host);
        add("info", ["On trial: ", { code: host }, ...tried(body.trial)]);
      }
      if (body.outcome === "allow") continue;
      for (const open of commands.values()) {
        if (!open.command.ended && !open.command.refusedHosts.includes(body.host)) {
          open.command.refusedHosts = [...open.command.refusedHosts, body.host];
        }
      }
      const where = `${body.host}:${body.port}`;
      const known = refused.get(where);
      if (known) {
        known.times += 1;
        known.words = [...refusal(where, body.reason, body.rule), `, ${known.times} times`];
      } else {
        const item = add("no", refusal(where, body.reason, body.rule));
        refused.set(where, Object.assign(item, { times: 1 }));
      }
    } else {
      const rule = body.kind === "push.decided" ? body.trial?.rules[0]?.at : undefined;
      if (body.kind === "push.decided" && body.trial !== undefined && !onTrial.has(`${rule}`)) {
        onTrial.add(`${rule}`);
        add("info", ["On trial: the push of ", { code: body.oid.slice(0, 10) }, ...tried(body.trial)]);
      }
      line(body, add);
    }
  }
  return items;
}

const refusal = (where: string, reason: string, rule: string | null): Words => [
  "Refused ",
  { code: where },
  `, because ${EGRESS_REASONS[reason] ?? reason.replaceAll("_", " ")}`,
  ...(rule === null ? [] : [" ", { source: rule }]),
];

function append(command: DraftCommand, text: string): void {
  const all = command.output + text;
  command.output = all.slice(-OUTPUT_KEPT);
  command.cutBytes += Buffer.byteLength(all) - Buffer.byteLength(command.output);
}

const short = (oid: string): string => oid.slice(0, 10);
const of = (digest: string): { source: string } => ({ source: digest.slice(0, 15) });

/** One line for what needs no memory; nothing for what other lines already say. */
function line(body: EventBody, add: (mark: Mark, words: Words, quote?: TimelineItem["quote"]) => Draft): void {
  switch (body.kind) {
    case "run.requested":
      add("ok", [{ who: body.by.name }, " asked for ", { code: body.repo }, " ", { source: body.because }], {
        by: "",
        text: body.text,
      });
      return;
    case "run.beside":
      add("info", [
        `A new run, because run ${body.number} takes no more words`,
        body.pull === null ? "" : `: its pull request ${body.repo}#${body.pull} is open`,
      ]);
      return;
    case "run.moved":
      if (body.to === "merged" || body.to === "closed" || body.to === "handed_off" || body.to === "answered") return;
      if (body.to === "denied") add("no", ["Denied", body.why === null ? "" : `: ${body.why}`]);
      if (body.to === "cancelled") add("no", ["Stopped"]);
      if (body.to === "suspended")
        add("wait", ["Waits for a person", body.why === null ? "" : `: ${body.why.replaceAll("group:", "@")}`]);
      return;
    case "policy.decided": {
      const rule = body.rules[0];
      const what: Words = [{ code: body.subject }, ...(rule ? [" ", { source: rule.at }] : [])];
      if (body.outcome === "deny")
        add("no", ["Policy denies ", ...what, body.reason === null ? "" : ` (${body.reason.replaceAll("_", " ")})`]);
      if (body.outcome === "ask") add("wait", ["Policy asks about ", ...what]);
      if (body.outcome === "allow" && isPublishing(body)) add("ok", ["Policy lets this be published: ", ...what]);
      if (body.trial !== undefined) add("info", ["On trial: ", ...what, ...tried(body.trial)]);
      return;
    }
    case "approval.opened":
      add("wait", [
        `Asked ${body.asks.map((ask) => `${ask.quorum} of ${peopleOf(ask).replace("group:", "@")}`).join(" and ")} about `,
        body.gate === "start" ? "starting" : body.gate === "publish" ? "publishing" : `the ${body.gate}`,
        " ",
        of(body.digest),
        ...(body.askNo > 1 ? [`, for the ${body.askNo}. time`] : []),
      ]);
      return;
    case "approval.voted":
      add(
        body.choice === "approve" ? "ok" : "no",
        [{ who: body.by.name }, body.choice === "approve" ? " approved " : " denied ", of(body.digest)],
        body.reason === null ? null : { by: "", text: body.reason },
      );
      return;
    case "approval.refused":
      add("no", [
        { who: body.by.name },
        `'s click did not count: ${body.by.name} ${CLICK_REASONS[body.code] ?? body.code.replaceAll("_", " ")}`,
      ]);
      return;
    case "approval.closed":
      if (body.status === "expired") add("wait", ["Nobody answered in time; nothing was decided"]);
      return;
    case "approval.escalated":
      add("wait", [
        `Nobody of ${body.from.replace("group:", "@")} had decided in time: ${body.to.replace("group:", "@")} may answer too`,
      ]);
      return;
    case "approval.delegated":
      add("info", [{ who: body.by.name }, " named ", { who: body.to.name }, " to answer in their place"]);
      return;
    case "approval.asked_again":
      add("info", [{ who: body.by.name }, " asked again after it had expired"]);
      return;
    case "author.joined":
      add("info", [{ who: body.person.name }, " added words and is an author now: no approver of this run"]);
      return;
    case "sandbox.ready":
      add("ok", [
        `${body.slot === "check" ? "Clean sandbox for the checks" : "Sandbox"} ready in ${(body.ms / 1000).toFixed(1)} s`,
        " ",
        { source: `${body.provider}, ${body.isolation} isolation` },
      ]);
      return;
    case "sandbox.lost":
      add("no", [`Sandbox lost: ${body.why}`]);
      return;
    case "setup.ran":
      add(body.exitCode === 0 ? "ok" : "no", [
        body.exitCode === 0 ? "Setup done" : "Setup failed",
        ` in ${(body.ms / 1000).toFixed(1)} s`,
      ]).command = {
        line: body.command,
        output: body.output,
        cutBytes: 0,
        exitCode: body.exitCode,
        ended: true,
        ms: body.ms,
        refusedHosts: [],
      };
      return;
    case "turn.started":
      if (body.cause !== "request")
        add("info", [turnWords(body.cause), ...(body.by ? [" by ", { who: body.by.name }] : [])], {
          by: "",
          text: body.text,
        });
      return;
    case "turn.ended":
      if (body.end !== "done")
        add("no", [`The turn ended: ${body.end}`, ...(body.detail === null ? [] : [". ", body.detail])]);
      return;
    case "agent.said":
      add("info", ["The agent says"], { by: "", text: body.text });
      return;
    case "push.decided":
      if (body.outcome === "deny")
        add("no", [
          "Push refused: ",
          body.detail ?? body.reason.replaceAll("_", " "),
          ...(body.rule === null ? [] : [" ", { source: body.rule }]),
        ]);
      return;
    case "work.committed":
      add("ok", [
        `Changed ${body.files.length} ${body.files.length === 1 ? "file" : "files"} `,
        {
          added: sum(body.files.map((file) => file.additions)),
          deleted: sum(body.files.map((file) => file.deletions)),
        },
        " ",
        { source: short(body.head) },
      ]);
      return;
    case "check.judged":
      add(body.verdict === "green" || body.verdict === "fixed" ? "ok" : body.verdict === "broke" ? "no" : "info", [
        "Check ",
        { code: body.name },
        `: ${body.verdict.replaceAll("_", " ")}`,
      ]);
      return;
    case "pull_request.opened":
      add("ok", [`Opened ${body.draft ? "draft " : ""}`, { link: `${body.repo}#${body.number}`, href: body.url }]);
      return;
    case "pull_request.changed":
      add(body.change === "closed" ? "no" : "ok", [{ who: body.by }, ` ${body.change} it`]);
      return;
    case "pull_request.ready":
      add("ok", ["Took it out of draft: policy lets it, and every check is green"]);
      return;
    case "review.asked":
      add("info", ["Asked for a review: ", body.of.join(", ")]);
      return;
    case "pull_request.reviewed":
      add(body.verdict === "approved" ? "ok" : body.verdict === "changes_requested" ? "no" : "info", [
        { who: body.by },
        ` ${REVIEWED[body.verdict]}`,
      ]);
      return;
    case "forge.checked":
      add(body.conclusion === "success" ? "ok" : body.conclusion === "failure" ? "no" : "info", [
        "The forge's checks by ",
        { who: body.by },
        `: ${body.conclusion}`,
      ]);
      return;
    case "receipt.signed":
      add("ok", ["Receipt signed ", of(body.digest), " by ", { source: body.keyId }]);
      return;
    case "grant.used":
      add("info", ["An earlier approval was used ", of(body.digest)]);
      return;
    case "run.answered":
      add("ok", ["Answered; nothing had to change"], { by: "", text: body.text });
      return;
    case "run.stopped":
      add("no", [{ who: body.by.name }, " asked to stop"]);
      return;
    case "run.handed_off":
      add("no", [`Handed off: ${body.failed}`]);
      return;
    case "authors.known":
      for (const { person, accounts } of body.authors)
        add("info", [
          { who: person.name },
          ` is ${accounts.map(({ provider, id, name }) => `${name ?? id} on ${provider}`).join(", ")}`,
        ]);
      return;
    case "notice":
      add("info", [body.text]);
      return;
    default:
      return;
  }
}

/** A result as it is published, with its size and its paths; to leave draft is another decision. */
const isPublishing = ({ about, request }: Extract<EventBody, { kind: "policy.decided" }>): boolean =>
  about === "publish" && request?.objects.some(({ subject }) => subject === "git.size") === true;

function turnWords(cause: string): string {
  const words: Record<string, string> = {
    follow_up: "Follow-up",
    rejection: "Told the agent what was refused",
    checks: "Sent the failing checks back to the agent",
    interrupted: "Went on after an interruption",
    review: "Sent a review to the agent",
  };
  return words[cause] ?? cause;
}

const sum = (values: readonly (number | null)[]): number => values.reduce<number>((all, one) => all + (one ?? 0), 0);
