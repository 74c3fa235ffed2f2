import { z } from "zod";
import { codeFlow, jsonOf } from "#adapters/code-flow.ts";
import type { Secret } from "#ports/secret.ts";
import { type SignIn, SignInNoMember, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { webUrlOf } from "./addresses.ts";

/** https://docs.github.com/rest/users/users#get-the-authenticated-user */
const User = z.object({
  id: z.int().positive(),
  login: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,98}$/),
  type: z.string(),
});

export interface GithubSignInOptions {
  /** "https://api.github.com", without a slash at the end. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where GitHub sends people back to; the App's settings name it too. */
  readonly redirectUrl: string;
  /** A proxy, or a stand-in in tests. */
  readonly fetch?: typeof fetch;
}

/** The names of GitHub accounts' place: ids of two servers are not the same. */
export const githubWorkspace = (apiUrl: string): string => new URL(webUrlOf(apiUrl)).host;

/** Who somebody is on GitHub, by the App's web flow: docs.github.com, "Generating a user access token for a GitHub App". */
export function githubSignIn({ apiUrl, ...of }: GithubSignInOptions): SignIn {
  const web = webUrlOf(apiUrl);
  return codeFlow({
    ...of,
    place: "GitHub",
    authorize: { url: `${web}/login/oauth/authorize`, params: { allow_signup: "false" } },
    exchange: { url: `${web}/login/oauth/access_token`, as: "json", params: {} },
    async whose({ access }, send) {
      const { status, text } = await send("who that is", `${apiUrl}/user`, {
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          "user-agent": "countersign",
          authorization: `Bearer ${access}`,
        },
      });
      if (status === 401 || status === 403) throw new SignInRefused("the token is not good");
      const user = User.safeParse(jsonOf(text));
      if (status !== 200 || !user.success)
        throw new SignInUnavailable("GitHub's answer about who that is cannot be read");
      if (user.data.type !== "User") throw new SignInNoMember("it is no person");
      const { id, login } = user.data;
      return { provider: "github", workspace: githubWorkspace(apiUrl), id: String(id), name: login };
    },
  });
}
