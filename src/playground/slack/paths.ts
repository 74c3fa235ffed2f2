/** Where the playground lives on the product's port. The page is at "/"; nothing of the product may use these. */
export const PATHS = {
  page: "/",
  /** Where `chat.getPermalink` points: `/archives/<channel>/p<ts without dot>`. */
  archives: "/archives",
  /** The page's own files, its first state and its stream of changes. */
  assets: "/playground",
  /** For scripts. The page uses it too. */
  control: "/_control",
  /** Bolt's `slackApiUrl` is this under the product's address. */
  webApi: "/slack-api/",
  /** `response_url`s. */
  hooks: "/slack-response",
} as const;

/** Holds the start token after the first visit. Other local pages may accept it; see `localGate`. */
export const START_COOKIE = "countersign_start";

/** Who "you" are, a user id such as "U0ANA". Readable by scripts, so that every local page can show it. */
export const PERSON_COOKIE = "playground_user";

/** The header that scripts send the start token in. */
export const TOKEN_HEADER = "x-playground-token";
