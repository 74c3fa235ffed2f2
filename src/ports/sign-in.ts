/** One attempt of a browser to sign in. What the browser must bring back, and where it goes meanwhile. */
export interface SignInAttempt {
  /** Absolute; of the identity provider. */
  readonly url: string;
  /** Comes back in the address; who cannot show it in the same browser did not begin. */
  readonly state: string;
  /**
   * Ties the code to this attempt: it comes back inside the provider's signed word, or is shown with the code (PKCE). A code of
   * another attempt has another.
   */
  readonly nonce: string;
}

/** Asks somebody else who a browser's person is. */
export interface SignIn {
  /** Throws `SignInUnavailable`. */
  begin(): Promise<SignInAttempt>;
  /**
   * Who came back, with their name there where that is asked for. `query`: of the address that the provider sent the browser to, with its "?". Throws `SignInRefused`
   * for anything but the provider's own, first and fresh word about this attempt, `SignInUnavailable` when it cannot be asked.
   */
  finish(
    query: string,
    expected: Pick<SignInAttempt, "state" | "nonce">,
  ): Promise<{
    readonly provider: string;
    readonly workspace: string;
    readonly id: string;
    readonly name?: string;
  }>;
}

/** The attempt is over; another may work. The message is for the log, not for the page. */
export class SignInRefused extends Error {
  override readonly name = "SignInRefused";
}

/** Who came back is somebody there, and no person who may act: an app, a guest, an account that is closed. */
export class SignInNoMember extends SignInRefused {}

export class SignInUnavailable extends Error {
  override readonly name = "SignInUnavailable";
}
