import type { Policy } from "#policy/policy.ts";
import type { Place } from "#ports/chat.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Queue } from "#ports/engine.ts";
import type { Tx } from "#ports/store.ts";
import type { WorkspaceStore } from "#ports/workspaces.ts";
import type { Approval, ApprovalState, Choice, Vote } from "./approval.ts";
import type { EventBody, RunEvent } from "./event.ts";
import type { LinkProof } from "./linkable.ts";
import type { NewRun, Person, Run, RunId, RunPatch } from "./run.ts";
import type { RunState } from "./state.ts";

/**
 * What the core keeps, as it needs it. `db/` implements these over one schema. Calls with a `tx` take part in the
 * caller's transaction; calls without one read what is committed.
 */
export interface Stores {
  readonly runs: RunStore;
  readonly events: EventStore;
  readonly approvals: ApprovalStore;
  readonly people: PeopleStore;
  readonly turns: TurnStore;
  readonly effects: EffectStore;
  readonly sandboxes: SandboxStore;
  readonly inbox: InboxStore;
  readonly outbox: OutboxStore;
  readonly cursors: CursorStore;
  readonly receipts: ReceiptStore;
  readonly policies: PolicyArchive;
  readonly shares: ShareStore;
  readonly notes: NoteStore;
  readonly sessions: SessionStore;
  readonly workspaces: WorkspaceStore;
}

export interface RunStore {
  /** `null` when a run with this request key exists. */
  insert(tx: Tx, run: NewRun): Promise<Run | null>;
  get(id: RunId): Promise<Run | null>;
  byNumber(orgId: string, number: number): Promise<Run | null>;
  /** The newest run of a conversation, at home or in its mirror. */
  byPlace(place: Place): Promise<Run | null>;
  /** Row lock until the transaction ends. */
  lock(tx: Tx, id: RunId): Promise<Run | null>;
  /** Takes the run for a worker: epoch + 1, unless it is in a final state (`null`). */
  take(id: RunId): Promise<Run | null>;
  /** Compare-and-set on state and epoch. `null`: someone else moved or took it. */
  move(tx: Tx, run: Pick<Run, "id" | "state" | "epoch">, to: RunState, patch: RunPatch): Promise<Run | null>;
  /** Changes fields under the epoch; throws `Fenced` when it is no longer ours. */
  patch(tx: Tx, run: Pick<Run, "id" | "epoch">, patch: RunPatch): Promise<Run>;
  /** The thread of its mirror, when that is known first; `null`: it was known, or it has no mirror. */
  mirrored(tx: Tx, id: RunId, thread: string): Promise<Run | null>;
  /** Asks for a stop: sets `cancelRequestedBy` and bumps the epoch, so that the owner's next write is fenced. */
  requestCancel(tx: Tx, id: RunId, by: string): Promise<Run | null>;
  /** Runs in any of these states, newest first. */
  inStates(orgId: string, states: readonly RunState[], limit: number): Promise<readonly Run[]>;
  recent(orgId: string, limit: number): Promise<readonly Run[]>;
  byRequester(orgId: string, personId: string, limit: number): Promise<readonly Run[]>;
  byPullRequest(repo: string, number: number): Promise<Run | null>;
  /** `wake_at` has passed; or carried by a queue but untouched for `idleMs`. With the queue to wake. */
  due(idleMs: number, limit: number): Promise<readonly { id: RunId; state: RunState; queue: Queue }[]>;
}

export interface Amount {
  readonly usd: number;
  readonly tokens: number;
}

/** What a run shares with others, as it stands. */
export interface ShareUse {
  /** Other runs at work, or before it in line: of its team, for the person who asked for it, in its repository. */
  readonly runs: { readonly team: number; readonly person: number; readonly repo: number };
  /** What the month has come to, by the record. */
  readonly spent: { readonly team: Amount; readonly person: Amount };
  /** What other runs may still spend of what they were allotted: at work, or ended with spending yet to be recorded. */
  readonly held: { readonly team: Amount; readonly person: Amount };
  /** What the run itself has spent, whenever that was. */
  readonly own: Amount;
}

/** Whose places and money are meant; with `resumeTo` for a run that comes back: it is behind nobody who only begins. */
export type Sharing = Pick<Run, "id" | "team" | "repo" | "requester" | "resumeTo">;

export interface ShareStore {
  /**
   * Until the transaction ends nobody else is told for this team, person or repository: of two that start at once the
   * second counts the first. `month`: "2026-11".
   */
  use(tx: Tx, run: Sharing, month: string): Promise<ShareUse>;
  /** What the run may spend in all from now on. What of it is not spent is held, until `settle`. */
  allot(tx: Tx, run: Pick<Run, "id">, amount: Amount): Promise<void>;
  /** `null`: nothing is held for it. */
  allotted(runId: RunId): Promise<Amount | null>;
  /** Runs that are not at work and that money is still held for. */
  unsettled(limit: number): Promise<readonly RunId[]>;
  /** All that it spent is in the record. Under the run's lock, and while it is not at work. */
  settle(tx: Tx, runId: RunId): Promise<void>;
}

export interface EventStore {
  /**
   * Appends in order, chains the hashes, notifies watchers once. `epoch: null` for writers that are not the owner
   * (votes, clicks, audit, the forge). A lower epoch than the head's throws `Fenced`.
   * Only `runs/record/record.ts` calls this: it is the one redacting door.
   */
  append(tx: Tx, runId: RunId, epoch: number | null, bodies: readonly EventBody[]): Promise<readonly RunEvent[]>;
  /** After `seq`, oldest first. The page, the receipt and the export all read through here. */
  after(runId: RunId, seq: number, limit: number): Promise<readonly RunEvent[]>;
  /** What the model calls of these runs came to: `facts().spent` without reading each record. Who made none is left out. */
  spent(runIds: readonly RunId[]): Promise<ReadonlyMap<RunId, { readonly tokens: number; readonly usd: number }>>;
  /** Ids of runs as their events are committed, from now on. */
  changes(signal: AbortSignal): AsyncIterable<RunId>;
  /** Adds the head of an ended run to the installation's own chain, so that a deleted run shows. Once per run. */
  seal(tx: Tx, runId: RunId): Promise<{ readonly seq: number; readonly hash: string }>;
}

export interface ApprovalStore {
  /** Throws when one with the same run, gate and digest is pending: look that one up instead. */
  open(tx: Tx, approval: Omit<Approval, "openedAt" | "closedAt" | "status" | "askNo">): Promise<Approval>;
  get(id: string): Promise<Approval | null>;
  lock(tx: Tx, id: string): Promise<Approval | null>;
  ofRun(runId: RunId): Promise<readonly Approval[]>;
  /** The same of many at once, oldest first; a run without any is left out. */
  ofRuns(runIds: readonly RunId[]): Promise<ReadonlyMap<RunId, readonly Approval[]>>;
  pendingOf(tx: Tx, runId: RunId): Promise<readonly Approval[]>;
  /** Of every run, oldest first. */
  pending(limit: number): Promise<readonly Approval[]>;
  /** `false` when this person has voted on it before. */
  vote(tx: Tx, vote: Omit<Vote, "at"> & { account: ExternalId; choice: Choice }): Promise<boolean>;
  votes(tx: Tx, approvalId: string): Promise<readonly (Vote & { account: ExternalId })[]>;
  /** What has become of its asks, while it is pending; `null` otherwise. */
  amend(tx: Tx, id: string, asks: Approval["asks"]): Promise<Approval | null>;
  /** Only out of "pending"; `null` otherwise. */
  close(tx: Tx, id: string, status: Exclude<ApprovalState, "pending">): Promise<Approval | null>;
}

/** An account with its name there: "octocat". `null`: nobody said. */
export interface LinkedAccount extends ExternalId {
  readonly name: string | null;
}

/** What came of linking an account with a person. */
export type Linking =
  /** `from`: whose it was until now, by a weaker proof; `null`: nobody's, or the person's own. */
  | { readonly how: "linked"; readonly from: Person | null }
  /** It is somebody else's, who has shown no less. */
  | { readonly how: "theirs"; readonly holder: Person }
  /** The person has another account there. */
  | { readonly how: "another" };

export interface PeopleStore {
  /** The person behind a verified account, made on first sight. */
  resolve(tx: Tx, orgId: string, account: ExternalId, name: string): Promise<Person>;
  identities(tx: Tx, personId: string): Promise<readonly ExternalId[]>;
  /** The same with what each is called there, the longest known first. */
  accounts(tx: Tx, personId: string): Promise<readonly LinkedAccount[]>;
  /** The account that the person behind `account` has on another system; `null`: nobody is known behind it, or none there. */
  accountOn(account: ExternalId, on: Pick<ExternalId, "provider" | "workspace">): Promise<ExternalId | null>;
  /**
   * Makes a verified account the person's. When it is somebody else's by a proof that is not known to be weaker, or the person has
   * another account there, nothing is changed. A proof once given stays the person's strongest. Idempotent.
   */
  link(tx: Tx, account: LinkedAccount, personId: string, proof: LinkProof): Promise<Linking>;
  /** Takes back what was linked on these systems; returns what it was. */
  unlink(tx: Tx, personId: string, provider: string): Promise<readonly ExternalId[]>;
  /**
   * Accounts of this system that somebody has, by their name there (in any case), their id or "workspace/id". No more than a
   * few. Until the transaction ends nobody else takes or gives them.
   */
  called(tx: Tx, provider: string, called: string): Promise<readonly (LinkedAccount & { readonly person: Person })[]>;
  /** Makes an account nobody's. */
  release(tx: Tx, account: ExternalId): Promise<void>;
  /** Everyone whose words reached the agent of this run. Idempotent; `true` when new. */
  addAuthor(tx: Tx, runId: RunId, personId: string): Promise<boolean>;
  authors(tx: Tx, runId: RunId): Promise<readonly Person[]>;
}

export interface Turn {
  readonly runId: RunId;
  readonly n: number;
  readonly cause: "request" | "follow_up" | "rejection" | "checks" | "interrupted" | "review";
  readonly person: Person | null;
  readonly text: string;
  readonly state: "queued" | "running" | "ended";
  readonly end: string | null;
}

export interface TurnStore {
  add(tx: Tx, turn: Pick<Turn, "runId" | "cause" | "person" | "text">): Promise<Turn>;
  /** The one that runs, else the first that is queued. */
  current(runId: RunId): Promise<Turn | null>;
  /** Whether any has not ended. Under the run's lock this holds until the transaction ends. */
  open(tx: Tx, runId: RunId): Promise<boolean>;
  started(tx: Tx, runId: RunId, n: number): Promise<void>;
  ended(tx: Tx, runId: RunId, n: number, end: string): Promise<void>;
  /** With `tx` and under the run's lock, nothing can be added until the transaction ends. */
  all(runId: RunId, tx?: Tx): Promise<readonly Turn[]>;
}

/** One outside act: intent before, look-up on re-entry, result after. */
export interface Effect {
  readonly key: string;
  readonly runId: RunId;
  readonly state: "intent" | "done";
  readonly result: unknown;
}

export interface EffectStore {
  /** Records the intent if the key is new; returns what is there. Throws `Fenced` on a lower epoch than the run's. */
  intend(key: string, run: Pick<Run, "id" | "epoch">): Promise<Effect>;
  /** Records the result under the epoch. */
  done(tx: Tx, key: string, run: Pick<Run, "id" | "epoch">, result: unknown): Promise<void>;
  ofRun(runId: RunId): Promise<readonly Effect[]>;
}

export interface SandboxRow {
  /** Provider's idempotency key, unique per run, slot and attempt. */
  readonly key: string;
  readonly runId: RunId;
  /** "agent", "check". */
  readonly slot: string;
  readonly providerId: string | null;
  readonly state: "intent" | "ready" | "gone";
  readonly attempt: number;
}

export interface SandboxStore {
  /** The live row of this slot, or a new one with the next attempt. */
  intend(tx: Tx, run: Pick<Run, "id" | "epoch">, slot: string): Promise<SandboxRow>;
  ready(tx: Tx, key: string, providerId: string): Promise<void>;
  gone(tx: Tx, key: string): Promise<void>;
  ofRun(runId: RunId): Promise<readonly SandboxRow[]>;
}

export interface InboxRow {
  readonly source: string;
  readonly deliveryId: string;
  readonly body: unknown;
}

export interface InboxStore {
  /** `false`: it was here before, there is nothing to do. Else durable, and the caller's own for `claimMs`. */
  insertOnce(source: string, deliveryId: string, body: unknown, claimMs: number): Promise<boolean>;
  /** The same within a transaction, and done when it commits: what it led to is in it too. */
  insertDone(tx: Tx, source: string, deliveryId: string): Promise<boolean>;
  done(source: string, deliveryId: string): Promise<void>;
  /** What the caller still works on stays its own for `claimMs` from now, or for as long as it is already. */
  hold(source: string, deliveryIds: readonly string[], claimMs: number): Promise<void>;
  /** It could not be done, and is nobody's to do for `afterMs`. */
  later(source: string, deliveryId: string, afterMs: number): Promise<void>;
  /** Forgets what was done more than `olderThanMs` ago, `limit` rows at most; how many. Told again after that, it is new. */
  forget(source: string, olderThanMs: number, limit: number): Promise<number>;
  /** Of this source, not done and nobody's, oldest first; each is the caller's for `claimMs`, so that two workers differ. */
  unfinished(source: string, claimMs: number, limit: number): Promise<readonly InboxRow[]>;
}

/** One message that people see: at most one per key, edited in place. */
export interface OutboxRow {
  readonly key: string;
  /** `null`: it belongs to no run; a note of the same key has its facts. */
  readonly runId: RunId | null;
  readonly place: Place;
  /** "status", "approval", "reminder", "receipt", "outcome", "blocked", "forge"; "policy", "linked" and "unlinked" belong to no run. */
  readonly kind: string;
  /** What it is about: an approval id, a host; `null` for the run itself. */
  readonly subject: string | null;
  /** Grows with each `want`. Shown when equal to `shownVersion`. */
  readonly version: number;
  readonly shownVersion: number;
  readonly messageId: string | null;
}

export interface OutboxStore {
  /**
   * Asks for the message to be shown as things are now. Coalesces. A message that people have already and that was put
   * off is due at once, unless the wish is `patient`.
   */
  want(
    tx: Tx,
    row: Pick<OutboxRow, "key" | "runId" | "place" | "kind" | "subject">,
    o?: { readonly patient: boolean },
  ): Promise<void>;
  /**
   * Asks for a message that nobody asked for before, claimed for `claimMs` by whoever shows it as soon as `tx` has
   * committed. `null`: it was asked for before, nothing is claimed.
   */
  claim(
    tx: Tx,
    row: Pick<OutboxRow, "key" | "runId" | "place" | "kind" | "subject">,
    claimMs: number,
  ): Promise<OutboxRow | null>;
  /** Wanted but not shown, most urgent first; each is claimed for `claimMs`, so that two workers differ. */
  due(claimMs: number, limit: number): Promise<readonly OutboxRow[]>;
  /** Releases the claim. `version` is what was rendered. `true`: something newer was wanted meanwhile and is due. */
  shown(key: string, version: number, messageId: string | null): Promise<boolean>;
  /**
   * Releases the claim: it could not be shown and is due again after `afterMs`. `true`: it is due now, because somebody
   * who does not wait for that wanted it meanwhile.
   */
  later(key: string, afterMs: number): Promise<boolean>;
  get(key: string): Promise<OutboxRow | null>;
  /** What the run's messages of this kind are about. */
  subjects(tx: Tx, runId: RunId, kind: string): Promise<readonly string[]>;
}

/** How far something ordered was read: audit lines, an agent's output. Moves in the same transaction as its events. */
export interface CursorStore {
  get(name: string): Promise<number>;
  /** Only forward; `false` when it was already at or past `to`: the events are recorded, write nothing. */
  advance(tx: Tx, name: string, to: number): Promise<boolean>;
}

export interface ReceiptStore {
  /** Written once; a second call with other bytes throws. */
  put(tx: Tx, runId: RunId, envelope: string): Promise<void>;
  get(runId: RunId): Promise<string | null>;
}

/** Compiled policies by digest, so that a run's pinned one answers again after any change and any restart. */
export interface PolicyArchive {
  /** Idempotent. `sources`: its files by name, already redacted; kept with the first call that brings them. */
  keep(tx: Tx, policy: Policy, sources?: Readonly<Record<string, string>>): Promise<void>;
  get(digest: string): Promise<Policy | null>;
  /** The files that a digest was made of; `null` when nobody kept them. */
  sources(digest: string): Promise<Readonly<Record<string, string>> | null>;
}

/** Browsers in which somebody has signed in. Only a digest of what the browser holds is kept. */
export interface SessionStore {
  /** Throws when there is one under this digest. */
  open(session: { readonly digest: string; readonly account: ExternalId; readonly ttlMs: number }): Promise<void>;
  /** Whose it is; `null`: there is none, or its time is over. */
  account(digest: string): Promise<ExternalId | null>;
  end(digest: string): Promise<void>;
}

/** Facts that belong to no run: words that wait for a choice, what the policy's owners are told. */
export interface NoteStore {
  /** Written once: `false` when there is one under this key, whatever it says. */
  keep(tx: Tx, key: string, body: unknown): Promise<boolean>;
  /** What was kept, and when; `null`: nothing. */
  get(key: string): Promise<{ readonly body: unknown; readonly at: Date } | null>;
  /** Keys that begin so, oldest first; no more than `limit` of the newest. */
  keys(prefix: string, limit: number): Promise<readonly string[]>;
  /** Forgets notes whose keys begin so, written more than `olderThanMs` ago, `limit` at most; how many. */
  forget(prefix: string, olderThanMs: number, limit: number): Promise<number>;
}
