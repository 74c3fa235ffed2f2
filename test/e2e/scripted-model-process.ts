import { startScriptedModel } from "#playground/model/server.ts";

/** The scripted model as an outside service of its own. Prints its address, then a line of JSON for each call. */
const model = await startScriptedModel({
  port: 0,
  onRequest: ({ path, authorization, status }) => console.log(JSON.stringify({ path, authorization, status })),
});
console.log(model.url);
