import { memorySignIn } from "#adapters/directory/memory-sign-in.ts";
import { signInContract } from "#test/contracts/sign-in.ts";

const who = { provider: "slack", workspace: "T0LOCAL", id: "U0ANA" };

signInContract("memory", async () => {
  const signIn = memorySignIn();
  return {
    signIn,
    who,
    consent: async (url) => signIn.consent(url, who),
    decline: async (url) => signIn.decline(url),
    cut: async () => signIn.fail("the network is down"),
  };
});
