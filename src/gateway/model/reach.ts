import type { ModelCall } from "./call.ts";
import { bareName } from "./dialect.ts";

type Json = Record<string, unknown>;

/** Tools that the client runs itself. What is not among them the service may run, out of our sight and at a price. */
const CLIENT_TOOLS =
  /^(?:function|custom|local_shell|apply_patch|tool_search.*|(?:bash|text_editor|memory|computer)_\d{8})$/;
/** Models that search by themselves, and a router's suffix that makes any model do so. */
const SEARCHING = /-search-|^sonar|^compound|:online$/;
/** What stands for text that the service keeps: it is billed as input and we cannot see it. Or for work that goes on unseen. */
const KEPT = ["previous_response_id", "conversation", "prompt", "background", "container"] as const;

/**
 * Why the call would make the provider itself reach out, for data to leave or enter past the wall, or work where the
 * meter does not see it: server-side tools, remote MCP servers, images and files by URL or by id, kept conversations.
 * `null`: it does not.
 */
export function reachesOut(call: ModelCall): string | null {
  const { asked } = call;
  if (SEARCHING.test(bareName(call.model))) return `model: ${call.model.slice(0, 40)}`;
  if (Array.isArray(asked.mcp_servers) ? asked.mcp_servers.length > 0 : isSaid(asked.mcp_servers)) return "mcp_servers";
  if (isSaid(asked.web_search_options)) return "web_search_options";
  for (const field of KEPT) if (isSaid(asked[field])) return field;
  return (
    serverTool(asked.tools) ??
    remoteContent(asked.messages) ??
    remoteContent(asked.input) ??
    remoteContent(asked.system) ??
    remoteContent(asked.instructions)
  );
}

const isSaid = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

function serverTool(tools: unknown): string | null {
  if (!isSaid(tools)) return null;
  if (!Array.isArray(tools)) return "tools";
  for (const tool of tools as (Json | null)[]) {
    const type = tool?.type;
    if (type === undefined || type === null) continue;
    if (type === "namespace") {
      const inner = serverTool(tool?.tools);
      if (inner) return inner;
    } else if (type === "shell" && (tool?.environment as Json | undefined)?.type === "local") continue;
    else if (typeof type !== "string" || !CLIENT_TOOLS.test(type)) return `tools: ${String(type).slice(0, 40)}`;
  }
  return null;
}

const BY_URL = /^(?:image|file|video|audio|document|server|container)_url$/;

/** Looks everywhere but into a tool's arguments: those are the model's own words, in any shape. */
function remoteContent(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  if (Array.isArray(value)) return value.reduce<string | null>((found, each) => found ?? remoteContent(each), null);
  const part = value as Json;
  if (part.type === "item_reference" || part.type === "input_audio") return part.type;
  const source = part.source as Json | null | undefined;
  if (typeof source === "object" && source !== null && (source.type === "url" || source.type === "file"))
    return `source: ${source.type}`;
  for (const [name, each] of Object.entries(part)) {
    if (name === "input" && part.type === "tool_use") continue;
    if (name === "file_id" && isSaid(each)) return "file";
    if (BY_URL.test(name) && isSaid(each)) {
      const url = typeof each === "object" ? (each as Json).url : each;
      if (typeof url !== "string" || !url.startsWith("data:")) return name;
    }
    const found = remoteContent(each);
    if (found) return found;
  }
  return null;
}
