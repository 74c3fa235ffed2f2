export const REGISTRY_PATH = "/registry/";

const ARCHIVE = /^\/(?:[\w.~%@+-]+\/)+-\/[\w.~%@+-]+\.tgz$/;

/** Whether a request is for the registry: by our prefix, or as a package's archive without it. */
export const isForRegistry = (target: string): boolean => target.startsWith(REGISTRY_PATH) || ARCHIVE.test(target);

/**
 * The path below the registry's own address. npm puts our host into an archive's URL and keeps that URL's path
 * (`replace-registry-host`), so our prefix is gone from it and the registry's own path, if it has one, is in it.
 */
export function packagePath(target: string, registryPath: string): string {
  if (target.startsWith(REGISTRY_PATH)) return target.slice(REGISTRY_PATH.length - 1);
  const own = registryPath.replace(/\/$/, "");
  return own !== "" && target.startsWith(`${own}/`) ? target.slice(own.length) : target;
}
