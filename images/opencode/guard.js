/**
 * Loaded into OpenCode before its own code (BUN_INSPECT_PRELOAD, see the profile). OpenCode imports whatever lies in
 * `.opencode/plugin/` of the repository it works on, into its own process, and no switch of 1.18 stops that (measured).
 * A plugin could answer permission questions itself. So a module from outside the program is an empty one.
 */
if (Bun.main.startsWith("/$bunfs/")) {
  // What the agent starts must not inherit this: a repository may have uses of its own for Bun.
  delete process.env.BUN_INSPECT_PRELOAD;
  Bun.plugin({
    name: "no code from outside",
    setup(build) {
      build.onLoad({ filter: /^(?!\/\$bunfs\/)/ }, ({ path }) => {
        process.stderr.write(`countersign: not loaded: ${path}\n`);
        return { contents: "export default {};", loader: "js" };
      });
    },
  });
}
