import type { ModelCall } from "./call.ts";

type Json = Record<string, unknown>;

const SERVER_TOOLS =
  /^(web_search|web_fetch|code_execution|code_interpreter|file_search|image_generation|computer_use|mcp)/;

/**
 * Why the call would make the provider itself reach out, for data to leave or enter past the wall: server-side tools,
 * remote MCP servers, images and files by URL or by id. `null`: it does not.
 */
export function reachesOut(call: ModelCall): string | null {
  const { tools, mcp_servers: servers, web_search_options: search } = call.asked;
  if (Array.isArray(servers) && servers.length > 0) return "mcp_servers";
  if (search !== undefined && search !== null) return "web_search_options";
  for (const tool of Array.isArray(tools) ? tools : []) {
    const type = (tool as Json | null)?.type;
    if (typeof type === "string" && SERVER_TOOLS.test(type)) return `tools: ${type.slice(0, 40)}`;
  }
  return remoteContent(call.asked.messages) ?? remoteContent(call.asked.input);
}

function remoteContent(value: unknown): string | null {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = remoteContent(item);
      if (found) return found;
    }
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const part = value as Json;
  const source = part.source as Json | null | undefined;
  if (typeof source === "object" && source !== null && (source.type === "url" || source.type === "file"))
    return `source: ${source.type}`;
  const image =
    typeof part.image_url === "object" && part.image_url !== null ? (part.image_url as Json).url : part.image_url;
  if (typeof image === "string" && !image.startsWith("data:")) return "image_url";
  if (typeof part.file_url === "string" || typeof part.file_id === "string") return "file";
  return remoteContent(part.content);
}
