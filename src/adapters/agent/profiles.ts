import type { AgentProfile, Launch } from "#ports/agent.ts";

/** Which of the gateway's model services answers for a model; the operator's configuration says it. */
export type ModelApi = "openai" | "anthropic";

/** The gateway's model endpoint, as clients of that service want their base URL. The token rides in the key's place. */
const modelUrl = (run: Launch, api: ModelApi): string => `${run.gatewayUrl}/model/${api}/v1`;

/** Both come inside OpenCode's binary (1.18.33): nothing is fetched for them. */
const CLIENTS: Readonly<Record<ModelApi, string>> = {
  openai: "@ai-sdk/openai-compatible",
  anthropic: "@ai-sdk/anthropic",
};

/** The way out, with the run's token. Both spellings, since curl reads only one of them for plain HTTP. */
function proxyEnv(run: Launch): Record<string, string> {
  const url = new URL(run.gatewayUrl);
  const proxy = `${url.protocol}//run:${encodeURIComponent(run.token)}@${url.host}`;
  const none = "127.0.0.1,localhost";
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    NO_PROXY: none,
    http_proxy: proxy,
    https_proxy: proxy,
    no_proxy: none,
  };
}

/** Ours: a real agent whose model is scripted. Every page shows the title. */
export const demo: AgentProfile = {
  id: "demo",
  title: "demo: scripted model",
  image: "demo",
  pin: { "countersign-agent-demo": "1.0.0" },
  onReject: "model-continues",
  restore: "resume",
  startDeadlineMs: 20_000,
  launch: (run) => ({
    argv: ["node", `${run.imageDir}/agent.cjs`],
    env: { ...proxyEnv(run), MODEL_BASE_URL: modelUrl(run, "openai"), MODEL_TOKEN: run.token, MODEL_NAME: run.model },
    files: {},
  }),
};

/**
 * OpenCode over `opencode acp`. Its configuration is one environment variable, which no file outranks; the work tree's
 * own `opencode.json`, `.opencode/` and skills are switched off, because a hostile repository could move the model or
 * allow every command: a repository is nobody we trust. That switch also hides AGENTS.md, so it is named again here; and it leaves
 * plugins on, which only the guard in the image stops (measured with 1.18.33). `apiOf`: where a run's model lives.
 */
export const opencode = (apiOf: (model: string) => ModelApi): AgentProfile => ({
  id: "opencode",
  title: "OpenCode",
  image: "opencode",
  pin: { "opencode-linux-x64-baseline": "1.18.33", "opencode-linux-arm64": "1.18.18" },
  onReject: "turn-ends",
  restore: "resume",
  startDeadlineMs: 90_000,
  launch: (run) => {
    const model = `gw/${run.model}`;
    const api = apiOf(run.model);
    const permission = {
      bash: { "*": "ask" },
      edit: "allow",
      webfetch: "ask",
      external_directory: "ask",
      question: "deny",
    };
    const modelsFile = `${run.home}/.config/countersign/models.json`;
    const config = {
      autoupdate: false,
      share: "disabled",
      lsp: false,
      formatter: false,
      model,
      small_model: model,
      enabled_providers: ["gw"],
      permission,
      instructions: [`${run.workdir}/AGENTS.md`, `${run.workdir}/CLAUDE.md`],
      provider: {
        gw: {
          npm: CLIENTS[api],
          name: "Gateway",
          options: { baseURL: modelUrl(run, api), apiKey: run.token },
          models: { [run.model]: { name: run.model, limit: { context: 128_000, output: 8_192 } } },
        },
      },
    };
    return {
      argv: [`${run.imageDir}/bin/opencode`, "acp"],
      env: {
        ...proxyEnv(run),
        OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
        OPENCODE_PERMISSION: JSON.stringify(permission),
        OPENCODE_DISABLE_PROJECT_CONFIG: "1",
        OPENCODE_PURE: "1",
        BUN_INSPECT_PRELOAD: `${run.imageDir}/guard.js`,
        OPENCODE_DISABLE_EXTERNAL_SKILLS: "1",
        OPENCODE_DISABLE_CLAUDE_CODE: "1",
        OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
        OPENCODE_DISABLE_AUTOUPDATE: "1",
        OPENCODE_DISABLE_MODELS_FETCH: "1",
        OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
        OPENCODE_DISABLE_SHARE: "1",
        // An empty catalogue: a third less memory and 1.5 s less CPU at start (measured).
        OPENCODE_MODELS_PATH: modelsFile,
        XDG_CONFIG_HOME: `${run.home}/.config`,
        XDG_DATA_HOME: `${run.home}/.local/share`,
        XDG_CACHE_HOME: `${run.home}/.cache`,
        XDG_STATE_HOME: `${run.home}/.local/state`,
      },
      files: { [modelsFile]: "{}\n" },
    };
  },
});
