import { z } from "zod";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";
import type { Installation } from "./product.ts";
import { until } from "./until.ts";

const Block = z.looseObject({
  type: z.string(),
  block_id: z.string().optional(),
  elements: z.array(z.looseObject({ action_id: z.string().optional(), value: z.string().optional() })).optional(),
});
const Message = z.looseObject({
  ts: z.string(),
  thread_ts: z.string().optional(),
  user: z.string(),
  text: z.string(),
  blocks: z.array(Block).default([]),
  metadata: z.looseObject({ event_payload: z.looseObject({ key: z.string() }) }).optional(),
  is_ephemeral: z.boolean(),
});
export type Message = z.infer<typeof Message>;

/** A team's channel in the sample workspace; Ana asks there and Bo leads. `yours` is there with `--repo`. */
export const CHANNELS = { shop: "C0SHOP", data: "C0DATA", website: "C0SITE", yours: "C0YOURS" } as const;
export type Team = keyof typeof CHANNELS;
const [ANA, BO, CY] = ["U0ANA", "U0BO", "U0CY"] as const;
export type Person = typeof ANA | typeof BO | typeof CY;
const AGENT = "U0AGENT";

/** What people do in the chat, over the local page's control API. All of it waits until the product is there again. */
export interface Chat {
  /** Writes the message and returns its time, which names the thread. Texts must differ: a retry looks for its own. */
  ask(team: Team, text: string): Promise<string>;
  /** Messages of a channel, oldest first. */
  messages(team: Team): Promise<readonly Message[]>;
  /** Somebody (Bo unless told) presses Approve, twice at the same moment, on every card of the thread that has the button. How many clicks were taken in. */
  approve(team: Team, thread: string, by?: Person): Promise<number>;
  /** As `approve`, again and again until a click is acknowledged: from then on it must not be lost. */
  approveNext(team: Team, thread: string): Promise<void>;
}

export function chatOf(house: Pick<Installation, "url" | "token">): Chat {
  /** `null`: nobody answers; the act may have happened or not. */
  async function send(path: string, body?: object): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${house.url}${PATHS.control}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { [TOKEN_HEADER]: house.token(), "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      });
      if (response.status === 503) return null;
      const answer: unknown = await response.json();
      if (response.ok) return answer;
      throw new Refused(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      return null;
    }
  }

  const messages = async (team: Team) => {
    const answer = await until(`the messages of #${team}`, () => send(`/messages/${CHANNELS[team]}`));
    return z.object({ messages: z.array(Message) }).parse(answer).messages;
  };

  async function press(team: Team, thread: string, user: Person = BO): Promise<number> {
    const cards = (await messages(team)).flatMap((message) =>
      message.thread_ts !== thread ? [] : buttonsOf(message).map((button) => ({ message, button })),
    );
    let taken = 0;
    for (const { message, button } of cards) {
      const click = async () => {
        try {
          const said = await send("/interact", {
            channel: CHANNELS[team],
            messageTs: message.ts,
            user,
            action: button,
          });
          return z.object({ ok: z.boolean() }).safeParse(said).data?.ok === true;
        } catch (error) {
          // The first of two clicks may have taken the button away already.
          if (error instanceof Refused) return false;
          throw error;
        }
      };
      if ((await Promise.all([click(), click()])).includes(true)) taken += 1;
    }
    return taken;
  }

  return {
    async ask(team, text) {
      const said = `<@${AGENT}> ${text}`;
      return until(`#${team} takes a message`, async () => {
        const before = (await messages(team)).find((message) => message.text === said);
        if (before) return before.ts;
        const answer = await send("/message", { channel: CHANNELS[team], user: ANA, text: said });
        return answer === null ? null : z.object({ ts: z.string() }).parse(answer).ts;
      });
    },
    messages,
    approve: press,
    async approveNext(team, thread) {
      await until(`a card to approve in #${team}`, async () => (await press(team, thread)) > 0);
    },
  };
}

/** The page says no: the message has no such button any more. */
class Refused extends Error {
  override readonly name = "Refused";
}

function buttonsOf(message: Message): { type: string; action_id: string; block_id?: string; value: string }[] {
  return message.blocks.flatMap(({ block_id, elements }) =>
    (elements ?? []).flatMap(({ action_id, value }) =>
      action_id === "approve" && value !== undefined
        ? [{ type: "button", action_id, value, ...(block_id === undefined ? {} : { block_id }) }]
        : [],
    ),
  );
}
