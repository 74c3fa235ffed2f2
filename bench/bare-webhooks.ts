import { createServer } from "node:http";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { Pool } from "pg";

/**
 * The peer of deliveries: the least that a careful receiver of GitHub's webhooks does. Octokit's own server verifies, one
 * row is inserted, then it answers. Started by deliveries.ts.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
await pool.query("create table if not exists bare_deliveries (id text primary key, body jsonb not null)");
const webhooks = new Webhooks({ secret: process.env.WEBHOOK_SECRET ?? "" });
webhooks.onAny(async ({ id, payload }) => {
  await pool.query("insert into bare_deliveries (id, body) values ($1, $2) on conflict do nothing", [id, payload]);
});
const server = createServer(createNodeMiddleware(webhooks, { path: "/github/webhooks" }));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`);
});
process.once("SIGTERM", () => process.exit(0));
