/** A sample repository as data: paths to text, commit by commit. The same data gives the same commit ids everywhere. */
export interface Sample {
  /** "owner/name". */
  readonly name: string;
  readonly defaultBranch: string;
  readonly description: string;
  /** Oldest first. */
  readonly commits: readonly SampleCommit[];
}

export interface SampleCommit {
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  /** ISO 8601, fixed. */
  readonly at: string;
  /** `null` deletes. */
  readonly files: Readonly<Record<string, string | null>>;
}

export const ana = { name: "Ana Ferreira", email: "ana@acme.example" };
export const bo = { name: "Bo Lindqvist", email: "bo@acme.example" };
export const cy = { name: "Cy Okafor", email: "cy@acme.example" };
