import { expect, test } from "vitest";
import { isStopWord, speech } from "#surfaces/slack/speech.ts";

const HEARD: readonly (readonly [string, string, string])[] = [
  ["a mention of us is not part of the request", "<@U0AGENT> fix the login", "fix the login"],
  ["a mention of us may stand anywhere", "please <@U0AGENT> fix it", "please  fix it"],
  ["a mention with our name is one of us too", "<@U0AGENT|agent> fix it", "fix it"],
  ["somebody else is named", "<@U0AGENT> ask <@U0BO|bo> or <@U0CY>", "ask @bo or @U0CY"],
  ["entities are what was typed", "<@U0AGENT> make a &lt;b&gt; &amp; c", "make a <b> & c"],
  ["what was typed as an entity stays one", "show &amp;lt; as it is", "show &lt; as it is"],
  ["an address that Slack linked is what was typed", "see <http://example.com|example.com>", "see example.com"],
  ["an address keeps its query", "see <https://x.example/?a=1&amp;b=2>", "see https://x.example/?a=1&b=2"],
  ["a labelled link shows where it leads", "see <https://x.example/a|the docs>", "see the docs (https://x.example/a)"],
  ["a mail address is one", "write to <mailto:a@b.example|a@b.example>", "write to a@b.example"],
  ["a channel has its name", "as in <#C0SHOP|shop>", "as in #shop"],
  ["a channel without a name has its id", "as in <#C0SHOP|>", "as in #C0SHOP"],
  ["a call to everyone calls nobody", "<!here> and <!subteam^S0LEADS|@leads>", "@here and @leads"],
  ["a date is read as people saw it", "<!date^1700000000^{time}|14:02>", "14:02"],
  ["white space within code is kept", "<@U0AGENT> replace `a  b`\nwith `c`", "replace `a  b`\nwith `c`"],
  ["nothing is nothing", "<@U0AGENT>", ""],
];
for (const [sentence, text, heard] of HEARD) test(sentence, () => expect(speech(text, "U0AGENT")).toBe(heard));

test("a bare word stops, a sentence with it does not", () => {
  for (const word of ["stop", " Stop! ", "CANCEL", "kill."]) expect(isStopWord(word)).toBe(true);
  for (const words of ["stop the flaky test", "don't stop", "stopped", ""]) expect(isStopWord(words)).toBe(false);
});
