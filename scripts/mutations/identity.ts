import type { Mutation } from "./mutation.ts";

const page = (test: string) => ({ file: "test/surfaces/web-identity.int.test.ts", test });
const signing = (test: string) => ({ file: "test/surfaces/linear/signing-in.int.test.ts", test });
const linked = (test: string) => ({ file: "test/runs/linked.int.test.ts", test });

/** Whose account is whose, and what waits for that. */
export const IDENTITY: readonly Mutation[] = [
  {
    name: "a code is good for every place",
    file: "src/runs/account/redeem.ts",
    find: 'if (code.place !== o.provider) return refuse("code_bad", owner);',
    replace: "",
    red: page("a link that was changed, one of another installation and a code for another place open nothing"),
  },
  {
    name: "a link works twice",
    file: "src/runs/account/redeem.ts",
    find: 'if (before !== null && !again) return refuse("code_used", owner);',
    replace: "",
    red: page("an answer and its cookie that are shown again link nobody else"),
  },
  {
    name: "whoever is signed in may use another person's link",
    file: "src/surfaces/web/identity.ts",
    find: "visitor.workspace === workspace && visitor.id === id)",
    replace: "visitor.workspace === workspace)",
    red: page("where people sign in, a link is of use to whom it was made for alone"),
  },
  {
    name: "a code of another browser's attempt is taken where people sign in",
    file: "src/adapters/code-flow.ts",
    find: 'code_challenge: createHash("sha256").update(nonce).digest("base64url"),',
    replace: 'code_challenge: createHash("sha256").update("").digest("base64url"),',
    red: { file: "test/adapters/sign-in-github.int.test.ts", test: "who consents comes back as who they are" },
  },
  {
    name: "a state that comes back is not looked at",
    file: "src/adapters/code-flow.ts",
    find: 'if (!same(came.get("state") ?? "", expected.state)) throw new SignInRefused("another state");',
    replace: "",
    red: { file: "test/adapters/sign-in-github.int.test.ts", test: "a forged state is refused" },
  },
  {
    name: "an account of another workspace of Linear's is linked",
    file: "src/runs/account/redeem.ts",
    find: "if (place !== undefined && place.workspace !== account.workspace)",
    replace: "if (place?.workspace === null)",
    red: signing("an account of another workspace is refused by name, and the link stays good for the right one"),
  },
  {
    name: "a link that was written on a ticket stays good",
    file: "src/runs/account/redeem.ts",
    find: "await core.store.tx((tx) => core.stores.notes.keep(tx, key, o.once));",
    replace: "",
    red: signing("a link that somebody writes on the ticket links nobody, and is good for nothing from then on"),
  },
  {
    name: "a guest of Linear's may act as a member",
    file: "src/adapters/ticket/linear/sign-in.ts",
    find: 'if (kind !== "member") throw new SignInNoMember(`it is a ${kind}`);',
    replace: "",
    red: {
      file: "test/adapters/sign-in-linear.int.test.ts",
      test: "a guest, an app and a closed account are nobody whose account is linked",
    },
  },
  {
    name: "an account on another server counts as linked",
    file: "src/runs/account/linked.ts",
    find: "one.provider === on && one.workspace === place?.workspace",
    replace: "one.provider === on",
    red: linked("an account on another server is not the one that policy wants"),
  },
  {
    name: "what is published is not held for a link that was taken back",
    file: "src/runs/result/may-publish.ts",
    find: "if (!begun && (await heldForLinks(core, run))) return false;",
    replace: "",
    red: linked("an author who takes a link back during the work holds back what would be published"),
  },
  {
    name: "a name ends its trailer",
    file: "src/runs/account/credit.ts",
    find: 'text.replace(HIDDEN, " ").replace(/\\s+/g, " ").trim()',
    replace: "text.trim()",
    red: linked("neither a name nor a request makes a trailer of its own"),
  },
  {
    name: "a proof as good as the one that is there takes the account",
    file: "db/people.ts",
    find: "LINK_PROOFS.indexOf(held) < LINK_PROOFS.indexOf(given)",
    replace: "LINK_PROOFS.indexOf(held) <= LINK_PROOFS.indexOf(given)",
    red: page(
      "an account that was signed in as is won back by the operator's word, and by no code nor another sign-in",
    ),
  },
  {
    name: "everybody is told which rules are approved unread",
    file: "src/runs/account/overseen.ts",
    find: "if (viewer !== null && !(await oversees(core, viewer))) return [];",
    replace: 'if (viewer !== null && viewer.kind !== "member") return [];',
    red: {
      file: "test/runs/readable.int.test.ts",
      test: "who keeps or audits the policy is told which rules are approved unread, and nobody else",
    },
  },
];
